package verify

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/anteroom/anteroom/retention/proof"
)

// Kind is what kind of check fails.
type Kind string

// The kinds. The order is that of importance: what fails first makes what follows doubtful.
const (
	Form         Kind = "form"         // it is no bundle, or one that is refused
	BadManifest  Kind = "manifest"     // manifest.json isn't canonical, or says what can't be
	Signature    Kind = "signature"    // manifest.json.sig isn't by the key
	Sums         Kind = "sums"         // a file isn't what manifest and SHA256SUMS say
	Checkpoint   Kind = "checkpoint"   // checkpoint isn't by the key, or not the manifest's
	Lines        Kind = "lines"        // a line isn't canonical, not in order, or outside of what was asked
	Deletion     Kind = "deletion"     // a deletion isn't proven
	Completeness Kind = "completeness" // a stored batch isn't whole
	Counts       Kind = "counts"       // the counts aren't those of the rows
	CSV          Kind = "csv"          // rows.csv isn't that of the rows
	Consistency  Kind = "consistency"  // the log isn't consistent with an earlier checkpoint, or that can't be seen
)

// Kinds returns all of them, in their order.
func Kinds() []Kind {
	return []Kind{Form, BadManifest, Signature, Sums, Checkpoint, Lines, Deletion, Completeness, Counts, CSV, Consistency}
}

// exitForm is the exit code of the first kind; the others follow.
const exitForm = 10

// ExitCode is a kind's code for scripts.
func (k Kind) ExitCode() int { return exitForm + slices.Index(Kinds(), k) }

// Finding is something that doesn't hold.
type Finding struct {
	Kind Kind `json:"kind"`
	// File of the bundle, and the line in it from 1; 0 where no single line is at fault.
	File string `json:"file"`
	Line int64  `json:"line,omitempty"`
	What string `json:"what"`
}

func (f Finding) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("%s: %s line %d: %s", f.Kind, f.File, f.Line, f.What)
	}
	return fmt.Sprintf("%s: %s: %s", f.Kind, f.File, f.What)
}

// Printable is foreign text as it can be shown on a terminal: without controls, and not endlessly.
func Printable(text string) string {
	const most = 400
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, text)
}

// maxFindings bounds what is listed; the rest is counted.
const maxFindings = 100

// Result is what came of a check.
type Result struct {
	// OK: all of it holds.
	OK bool `json:"ok"`
	// Manifest as it was read; zero if it couldn't be.
	Manifest proof.Manifest `json:"manifest"`
	// Rows and proven deletions that were looked at, and batches whose roots were computed.
	Rows    uint64 `json:"rows"`
	Deleted uint64 `json:"deleted"`
	Batches uint64 `json:"batches"`
	// Changes are policies, holds and approvals whose leaf is in the log.
	Changes uint64 `json:"changes"`
	// Complete: it was shown that no stored batch that the report should have was left out, from the leaf at index CoveredFrom on.
	Complete    bool   `json:"complete"`
	CoveredFrom uint64 `json:"covered_from"`
	// Hidden things of other organisations are in batches that were checked; that they needn't be in the report is the operator's word.
	Hidden uint64 `json:"hidden_things"`
	// Since is the size of the earlier checkpoint that the log was seen to be consistent with; nil without one.
	Since *uint64 `json:"consistent_since"`
	// Notes say in words what else a reader should know.
	Notes    []string  `json:"notes"`
	Findings []Finding `json:"findings"`
	// More findings aren't listed.
	More uint64 `json:"more_findings"`
}

// ExitCode is that of the most important kind of finding; 0 without any.
func (r *Result) ExitCode() int {
	for _, kind := range Kinds() {
		if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == kind }) {
			return kind.ExitCode()
		}
	}
	return 0
}
