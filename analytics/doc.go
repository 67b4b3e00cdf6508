// Package analytics makes answers of what the tables say about calls: judged
// under a profile of package quality, as it may be shown.
//
// It owns who may be shown and under which label (rule D2: who isn't proven to
// be an org user is Anonymous), and what is withheld while a call runs (rule
// D3). Whoever shows a call, on a page, in a list, an export, a log or another
// system's form, gets it from [Judge], so that none can forget either.
//
// What it refuses: to guess. What no measurement tells has no side and no
// verdict.
//
// It reads no clock but the one it is handed, and answers no requests.
package analytics
