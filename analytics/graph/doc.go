// Package graph shows judged calls in the shape of Microsoft Graph's call records
// (https://learn.microsoft.com/graph/api/resources/callrecords-callrecord), for tools that speak that.
//
// It owns names, formats and what stands for what: a participant's stay is a session of one segment, between the participant (caller) and
// the server (callee), or in a call between two without a server the other participant. All functions are pure: they are handed a call of
// analytics.Judge, in which guests are Anonymous and, while the call runs, absent.
//
// What isn't measured is null and never zero. No address, device or machine name is in it: none is stored.
package graph
