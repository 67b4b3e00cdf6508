package author

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/lineage"

	"github.com/anteroom/anteroom/policy"
)

// The outcomes of a test.
const (
	Pass  = "pass"
	Fail  = "fail"
	Error = "error"
	Skip  = "skip"
)

// testTimeout bounds one test, as the stock `opa test` does by default.
const testTimeout = 5 * time.Second

// What one test, and one line of print(), may say at most.
const (
	maxTraceLines   = 500
	maxMessageBytes = 16 << 10
)

// TestOptions choose what runs.
type TestOptions struct {
	// Run is a regular expression on a test's full name, such as data.anteroom.organization_test.test_guests_wait; "" runs all.
	Run string `json:"run"`
	// Trace has each failing test traced: what failed, and what was printed on the way.
	Trace bool `json:"trace"`
}

// TestResult is what the tests say.
type TestResult struct {
	// OK: the content passed Check, at least one test ran, and none failed. A test that is skipped fails none. The base alone, which a
	// content without files stands for, is OK without tests.
	OK    bool       `json:"ok"`
	Tests []TestCase `json:"tests"`
	// Coverage of the modules, tests' own files left out.
	Coverage Coverage `json:"coverage"`
	// Diagnostics are Check's, if it found errors: nothing ran then.
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// TestCase is one test, or one case of a test that has several.
type TestCase struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Package string `json:"package"`
	// Name of the rule; of a case, the rule's and the case's with '/' between.
	Name string `json:"name"`
	// Outcome is Pass, Fail, Error or Skip.
	Outcome string `json:"outcome"`
	// TookUs is the time in microseconds; 0 for cases, which have their test's.
	TookUs int64 `json:"took_us"`
	// Message is what was printed, and the error.
	Message string `json:"message"`
	// Trace are lines as the stock `opa test -v` prints them.
	Trace []string `json:"trace"`
}

// Test checks a content and runs its tests as the stock `opa test --coverage` does over the same base.
func Test(ctx context.Context, base *policy.Base, c Content, options TestOptions) TestResult {
	result := TestResult{Tests: []TestCase{}, Diagnostics: []Diagnostic{}, Coverage: Coverage{Files: map[string]FileCoverage{}}}
	if len(c.Files) == 0 {
		result.OK, result.Coverage.Percent = true, 100
		return result
	}
	checked := Check(ctx, base, c)
	if !checked.OK {
		result.Diagnostics = checked.Diagnostics
		return result
	}
	if _, err := regexp.Compile(options.Run); err != nil {
		result.Diagnostics = append(result.Diagnostics, wholeFile("", FileErr, "run: "+err.Error()))
		return result
	}
	p, _ := c.parse(base)
	covered := cover.New()
	results, err := runTests(ctx, base, p, options.Run, covered)
	if err != nil {
		result.Diagnostics = ordered(c.diagnostics(err))
		return result
	}
	var failing []string
	for _, r := range results {
		if r.Fail {
			failing = append(failing, r.Package+"."+r.Name)
		}
	}
	traces := map[string][]*topdown.Event{}
	if options.Trace && len(failing) > 0 {
		// A runner either covers or traces.
		again, err := runTests(ctx, base, p, exactly(failing), nil)
		if err != nil {
			result.Diagnostics = ordered(c.diagnostics(err))
			return result
		}
		for _, r := range again {
			traces[r.Package+"."+r.Name] = r.Trace
		}
	}
	result.OK = true
	for _, r := range results {
		cases := casesOf(r, traces[r.Package+"."+r.Name])
		result.Tests = append(result.Tests, cases...)
	}
	ran := 0
	for _, t := range result.Tests {
		if t.Outcome != Skip {
			ran++
		}
		result.OK = result.OK && (t.Outcome == Pass || t.Outcome == Skip)
	}
	result.OK = result.OK && ran > 0
	result.Coverage = coverageOf(covered, p.modules)
	return result
}

// exactly is a regular expression that only these names match.
func exactly(names []string) string {
	for i, name := range names {
		names[i] = regexp.QuoteMeta(name)
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// runTests runs those that match, in the order of their places: for coverage, or with traces if covered is nil.
func runTests(ctx context.Context, base *policy.Base, p parsed, run string, covered *cover.Cover) ([]*tester.Result, error) {
	store := inmem.NewFromObject(base.Data(p.data))
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("run tests: %w", err)
	}
	defer store.Abort(ctx, txn)
	runner := tester.NewRunner().
		SetCompiler(base.Compiler(true).WithEnablePrintStatements(true)).
		SetStore(store).
		SetModules(p.over(base, true)).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		SetTimeout(testTimeout).
		Filter(run)
	if covered != nil {
		// What evaluations without the index or the early exit would cover beside is of no use to the gutter.
		runner = runner.SetCoverageQueryTracer(covered).SetCoverageRuns(nil)
	} else {
		runner = runner.EnableTracing(true)
	}
	return collect(ctx, runner, txn)
}

func collect(ctx context.Context, runner *tester.Runner, txn storage.Transaction) ([]*tester.Result, error) {
	channel, err := runner.RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	var results []*tester.Result
	for r := range channel {
		results = append(results, r)
	}
	slices.SortFunc(results, func(x, y *tester.Result) int {
		return cmp.Or(cmp.Compare(x.Location.File, y.Location.File), x.Location.Row-y.Location.Row, cmp.Compare(x.Name, y.Name))
	})
	return results, nil
}

// casesOf is a test as it is told: one line, or one for each of its cases.
func casesOf(r *tester.Result, trace []*topdown.Event) []TestCase {
	whole := TestCase{
		File: r.Location.File, Line: r.Location.Row, Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name,
		Outcome: outcomeOf(r), TookUs: r.Duration.Microseconds(), Message: messageOf(r), Trace: []string{},
	}
	if whole.Outcome == Fail {
		whole.Trace = lines(trace)
	}
	if len(r.SubResults) == 0 {
		return []TestCase{whole}
	}
	cases := []TestCase{}
	for name, sub := range r.SubResults.Iter {
		if len(sub.SubResults) > 0 {
			continue
		}
		one := whole
		one.Name, one.Outcome, one.TookUs, one.Trace = r.Name+"/"+strings.Join(name, "/"), Pass, 0, []string{}
		if len(cases) == 0 {
			one.TookUs = whole.TookUs
		}
		if sub.Fail {
			one.Outcome, one.Trace = Fail, whole.Trace
		}
		cases = append(cases, one)
	}
	return cases
}

func outcomeOf(r *tester.Result) string {
	switch {
	case r.Skip:
		return Skip
	case r.Error != nil && !builtinFailed(r.Error):
		return Error
	case r.Fail:
		return Fail
	default:
		return Pass
	}
}

// builtinFailed tells an evaluation that went on without what a built-in function would have given. That is no error of a test to the stock tool;
// a decision is denied for it.
func builtinFailed(err error) bool {
	var one *topdown.Error
	return !errors.As(err, &one) || one.Code == topdown.BuiltinErr
}

func messageOf(r *tester.Result) string {
	message := strings.TrimSpace(string(r.Output))
	if r.Error != nil {
		said := r.Error.Error()
		if builtinFailed(r.Error) {
			said += "\na decision fails on this, and denies"
		}
		message = strings.TrimSpace(message + "\n" + said)
	}
	return shortened(message)
}

func shortened(text string) string {
	if len(text) > maxMessageBytes {
		return strings.ToValidUTF8(text[:maxMessageBytes], "") + "…"
	}
	return text
}

// lines is a trace as `opa test -v` prints it: what failed and what was noted, with the queries that led there.
func lines(trace []*topdown.Event) []string {
	trace = lineage.Filter(trace, func(e *topdown.Event) bool { return e.Op == topdown.NoteOp || e.Op == topdown.FailOp })
	if len(trace) == 0 { // a test that is plainly false
		return []string{}
	}
	var out strings.Builder
	topdown.PrettyTraceWithOpts(&out, trace, topdown.PrettyTraceOptions{Locations: true})
	all := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(all) > maxTraceLines {
		left := len(all) - maxTraceLines
		all = append(all[:maxTraceLines:maxTraceLines], fmt.Sprintf("… %d lines more", left))
	}
	return all
}

// Coverage is what of the modules the tests evaluated, as the stock `opa test --coverage` counts it.
type Coverage struct {
	// Percent of the lines that can be covered, over all modules; 100 if there are none.
	Percent float64                 `json:"percent"`
	Files   map[string]FileCoverage `json:"files"`
}

// FileCoverage has ranges of lines, first and last, in order. A line of which a part was evaluated and a part was not is in both.
type FileCoverage struct {
	Percent    float64  `json:"percent"`
	Covered    [][2]int `json:"covered"`
	NotCovered [][2]int `json:"not_covered"`
}

func coverageOf(covered *cover.Cover, modules map[string]*ast.Module) Coverage {
	report := covered.Report(modules)
	all := Coverage{Percent: 100, Files: map[string]FileCoverage{}}
	yes, no := 0, 0
	for name := range modules {
		file := report.Files[name]
		yes, no = yes+file.CoveredLines, no+file.NotCoveredLines
		of := FileCoverage{Percent: 100, Covered: ranges(file.Covered), NotCovered: ranges(file.NotCovered)}
		if file.CoveredLines+file.NotCoveredLines > 0 {
			of.Percent = file.Coverage
		}
		all.Files[name] = of
	}
	if yes+no > 0 {
		all.Percent = 100 * float64(yes) / float64(yes+no)
	}
	return all
}

// ranges joins what touches.
func ranges(of []cover.Range) [][2]int {
	rows := map[int]bool{}
	for _, r := range of {
		for row := r.Start.Row; row <= r.End.Row; row++ {
			rows[row] = true
		}
	}
	joined := [][2]int{}
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		if last := len(joined) - 1; last >= 0 && joined[last][1] == row-1 {
			joined[last][1] = row
			continue
		}
		joined = append(joined, [2]int{row, row})
	}
	return joined
}
