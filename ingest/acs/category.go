package acs

import "strings"

// category is a kind of record that is stored.
type category struct {
	// times are the fields that may say when it was observed, the best first.
	times []string
	// calls are the fields that may name the call, the best first. none is why a record without a call is left out; "" makes it wrong.
	calls []string
	none  Skip
	// ofCall tells that call is a call of Azure's.
	ofCall bool
	decode func(*record)
}

// category tells what a record is; nil for what isn't stored. Log Analytics rows name their table instead ("Type").
func (r *record) category() *category {
	name := ""
	for _, field := range []string{"category", "type", "operationName"} {
		v, _ := r.fields[strings.ToLower(field)].(string)
		if name = v; name != "" {
			break
		}
	}
	if name == "" {
		r.fail("category", "is missing; is this a diagnostic record of Azure?")
		return nil
	}
	key := strings.ToLower(strings.ReplaceAll(name, " ", ""))
	return categoryOf(strings.TrimPrefix(key, "acs"))
}

func categoryOf(key string) *category {
	server := []string{"time", "TimeGenerated"}
	client := []string{"CallClientTimeStamp", "time", "TimeGenerated"}
	switch key {
	case "callsummary", "callsummaryupdates":
		return &category{times: server, calls: []string{"correlationId"}, ofCall: true, decode: decodeSummary}
	case "calldiagnostics", "calldiagnosticsupdates":
		return &category{times: server, calls: []string{"correlationId"}, ofCall: true, decode: decodeDiagnostics}
	case "callclientoperations":
		return &category{times: client, calls: []string{"CallId"}, none: SkipNoCall, ofCall: true, decode: decodeOperation}
	case "callclientmediastatstimeseries":
		return &category{times: client, calls: []string{"CallId"}, none: SkipNoCall, ofCall: true, decode: decodeTimeSeries}
	case "callsurvey", "endofcallsurvey":
		return &category{times: server, calls: []string{"CallId"}, none: SkipNoCall, ofCall: true, decode: decodeSurvey}
	case "callrecordingsummary", "recordingsummary":
		return &category{times: server, calls: []string{"correlationId"}, ofCall: true, decode: decodeRecording}
	case "chatoperational", "chatincomingoperations":
		return &category{times: server, decode: decodeChat}
	}
	return nil
}

// open reads what all records of a category have: time, call and revision.
func (r *record) open(c *category) {
	for _, name := range c.times {
		if r.observed = r.time(name); r.observed != 0 {
			break
		}
	}
	if r.observed == 0 {
		r.fail("time", "is missing")
		return
	}
	for _, name := range c.calls {
		if r.call = r.id(name); r.call != "" {
			break
		}
	}
	switch {
	case r.call != "" && !isCallID(r.call):
		r.failField(c.calls[0], "must be made of letters, digits and '-_.:'")
	case r.call == "" && len(c.calls) > 0 && c.none != "":
		r.skip = c.none
	case r.call == "" && len(c.calls) > 0:
		r.fail(c.calls[0], "is missing: the record names no call")
	}
	r.openRevision()
}

// openRevision ranks the records of one thing; see the package's doc. Microsoft's samples of updates carry the plain category's
// name, so it is the version that makes an update.
func (r *record) openRevision() {
	const highest = 1 << 30
	if version := r.count("CallUpdatesVersion", highest); version != nil {
		r.revision = uint32(*version) + 1 //nolint:gosec // at most highest
		return
	}
	for _, field := range []string{"category", "type"} {
		if name, _ := r.fields[field].(string); strings.HasSuffix(strings.ToLower(name), "updates") {
			r.revision = 1
			return
		}
	}
}

// isCallID keeps text out of a place where everybody can read it. Azure's call ids are GUIDs.
func isCallID(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && !strings.ContainsRune("-_.:", rune(c)) {
			return false
		}
	}
	return s != ""
}
