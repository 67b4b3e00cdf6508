package quality

import (
	"maps"
	"slices"
	"strings"
)

// CallInput is what is known of one call.
type CallInput struct {
	// Streams, one assessment per (participant, stream). Repeated records of a
	// stream are the caller's to resolve, newest first.
	Streams []Assessment
	// Diagnostics: the user-facing diagnostic events, good ones included.
	// Which of them are one issue, GroupDiagnostics says.
	Diagnostics []Diagnostic
	// BadOperations counts the failed client operations by name; see BadOperation.
	BadOperations map[string]int
	// UnexpectedEnds counts the participants that ended unexpectedly; see UnexpectedEnd.
	UnexpectedEnds int
}

// NamedCount is a count under a name.
type NamedCount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Issues counts what went wrong in a call.
type Issues struct {
	Total          int `json:"total"`           // the sum of the three below
	BadOperations  int `json:"bad_operations"`  // failed operations and diagnostics that went bad
	UnexpectedEnds int `json:"unexpected_ends"` // participants
	PoorStreams    int `json:"poor_streams"`    //
	// ByOperation breaks BadOperations down, by name.
	ByOperation []NamedCount `json:"by_operation,omitempty"`
}

// CallAssessment is the judgement of one call.
type CallAssessment struct {
	Verdict        Verdict `json:"verdict"`
	GoodStreams    int     `json:"good_streams"`
	PoorStreams    int     `json:"poor_streams"`
	UnknownStreams int     `json:"unknown_streams"`
	// NetworkDiagnostics names the network diagnostics that went bad, sorted.
	NetworkDiagnostics []string `json:"network_diagnostics,omitempty"`
	// NetworkReasons has one entry for each of NetworkDiagnostics, in that order.
	NetworkReasons []DiagnosticReason `json:"network_reasons,omitempty"`
	Issues         Issues             `json:"issues"`
	// UnreadDiagnostics counts events whose name or value isn't in the closed
	// tables. They are no issues, and are not lost from sight either.
	UnreadDiagnostics int `json:"unread_diagnostics,omitempty"`
}

// JudgeCall judges a call: poor if any stream is poor or any network
// diagnostic went bad, else good if any stream is good, else unknown. A good
// diagnostic alone makes no call good.
func JudgeCall(in CallInput) CallAssessment {
	var a CallAssessment
	for i := range in.Streams {
		switch in.Streams[i].Verdict {
		case Good:
			a.GoodStreams++
		case Poor:
			a.PoorStreams++
		default:
			a.UnknownStreams++
		}
	}
	bad := make(map[string]int)
	for name, n := range in.BadOperations {
		if n > 0 && !ignoredOperation(name) {
			bad[name] += n
		}
	}
	a.countDiagnostics(in.Diagnostics, bad)
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		a.Issues.ByOperation = append(a.Issues.ByOperation, NamedCount{Name: name, Count: bad[name]})
		a.Issues.BadOperations += bad[name]
	}
	a.Issues.UnexpectedEnds = max(0, in.UnexpectedEnds)
	a.Issues.PoorStreams = a.PoorStreams
	a.Issues.Total = a.Issues.BadOperations + a.Issues.UnexpectedEnds + a.Issues.PoorStreams
	switch {
	case a.PoorStreams > 0 || len(a.NetworkDiagnostics) > 0:
		a.Verdict = Poor
	case a.GoodStreams > 0:
		a.Verdict = Good
	default:
		a.Verdict = Unknown
	}
	return a
}

// countDiagnostics adds to bad each issue that diagnostics make, and notes the
// network ones with the worst value of each.
func (a *CallAssessment) countDiagnostics(events []Diagnostic, bad map[string]int) {
	counted := make(map[int]struct{})
	network := make(map[string]DiagnosticReason)
	for i, group := range GroupDiagnostics(events) {
		e := events[i]
		info, named := LookupDiagnostic(e.Name)
		wentBad, read := BadDiagnosticValue(e.Value)
		if !named || !read {
			a.UnreadDiagnostics++
			continue
		}
		if group < 0 || !wentBad {
			continue
		}
		if info.Lane == LaneNetwork {
			r := DiagnosticReason{Name: info.Name, Value: canonicalValue(e.Value), Source: sourceNetworkDiagnostic}
			if before, seen := network[info.Name]; !seen || severity(r.Value) > severity(before.Value) {
				network[info.Name] = r
			}
		}
		if _, again := counted[group]; !again {
			counted[group] = struct{}{}
			bad[info.Name]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(network)) {
		a.NetworkDiagnostics = append(a.NetworkDiagnostics, name)
		a.NetworkReasons = append(a.NetworkReasons, network[name])
	}
}

// BadOperation says whether a client operation counts as an issue: its result
// is neither a success nor an expected error. An empty result says nothing and
// doesn't count. User-facing diagnostics are no operations here: hand them to
// JudgeCall as Diagnostics.
//
// Source: the Call Diagnostics portal query, which takes Succeeded, Success and
// ExpectedError for not bad; the log reference writes ExpectedClientError too,
// so every result that begins with Expected is.
func BadOperation(name, resultType string) bool {
	result := strings.ToLower(strings.TrimSpace(resultType))
	switch result {
	case "", "null", "success", "succeeded":
		return false
	}
	return !strings.HasPrefix(result, "expected") && !ignoredOperation(name)
}

// ignoredOperation lists names that never count as operations: diagnostics,
// which are counted as such, and the rows that the portal's query drops.
func ignoredOperation(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "userfacingdiagnostics", "callclientoperations", "callmodechanged", "idchanged", "rolechanged":
		return true
	}
	return false
}

// UnexpectedEnd says whether a participant's result category (such as
// UnexpectedClientError) means that its call ended unexpectedly.
func UnexpectedEnd(resultCategory string) bool {
	return strings.Contains(strings.ToLower(resultCategory), "unexpected")
}
