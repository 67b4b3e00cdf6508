// Package exchange speaks with policy agents of other systems, such as the stock Open Policy Agent (OPA): it hands out bundles with which they decide as
// this service does, takes their decision logs and status in, and answers the questions that they would.
//
// The protocol is OPA's own (bundles, decision logs, status, data); who asks proves it by a token of the organisation, made here, kept as a digest, with
// an end. A token is good for its own organisation. Bundles are signed (ES256). What a log tells is kept once per decision_id, without anything that isn't
// in the closed form of an input: agents' inputs may have names of people, which are dropped. Nothing here changes a policy.
package exchange
