// Package policy decides what a participant of a meeting may do.
//
// It owns the closed set of capabilities, the input and the result of a decision, the shipped Rego (policy/anteroom, written for people to
// read) and its evaluation. A request passes only if the base policy and the organisation's own both allow it; anything that goes wrong
// (a timeout, an error, an undefined result) denies. A decision depends on its input alone: no clock, no network, no personal data, so that
// what is logged is what was evaluated.
package policy
