// Package identity answers who is asking: it verifies tokens of organisations' OpenID providers and of resources (bring your own identity),
// signs the service's own short-lived tokens, and holds the development issuer of the one-machine default.
//
// It denies by default: a token that can't be proven to be right, now, for this audience, by a pinned algorithm, is refused with one reason
// id per cause. What somebody may do is not decided here: roles are (api's table), capabilities are (policy).
package identity

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Role is what a principal may do in the API. The set is closed.
type Role string

// The roles. A principal has the roles of one organisation; Operator runs the installation and is of none.
const (
	Admin        Role = "admin"
	Support      Role = "support"
	Auditor      Role = "auditor"
	PolicyAuthor Role = "policy_author"
	Operator     Role = "operator"
	OrgUser      Role = "org_user"
	Guest        Role = "guest"
)

// Roles returns all of them.
func Roles() []Role { return []Role{Admin, Support, Auditor, PolicyAuthor, Operator, OrgUser, Guest} }

// Principal is who asks. The zero Principal is nobody.
type Principal struct {
	// Roles: every signed-in user of an organisation has OrgUser; a guest has Guest and nothing else.
	Roles []Role
	// Org of the user; "" for guests and for operators.
	Org string
	// Subject is the user's id at the organisation's issuer, or for a guest the id that its resource gave it. A guest's subject is personal
	// data: it is never logged, stored or sent, but sealed into that resource's own log.
	Subject string
	// Name is an org user's display name as the issuer states it.
	Name string
	// Resource that a guest comes from; "" for users.
	Resource string
	// Expires is when the token ends.
	Expires time.Time
}

// Reason is the stable id of why a token is refused.
type Reason string

// The reasons.
const (
	TokenMissing    Reason = "token_missing"
	TokenMalformed  Reason = "token_malformed"
	TokenSignature  Reason = "token_signature_invalid"
	TokenAlgorithm  Reason = "token_algorithm_not_allowed"
	TokenExpired    Reason = "token_expired"
	TokenNotYet     Reason = "token_not_yet_valid"
	TokenTooLong    Reason = "token_lifetime_too_long"
	TokenAudience   Reason = "token_audience_wrong"
	TokenReplayed   Reason = "token_replayed"
	TokenIncomplete Reason = "token_claim_missing"
	IssuerUnknown   Reason = "token_issuer_unknown"
	// IssuerUnavailable: the issuer's keys can't be had just now; nothing is known about the token.
	IssuerUnavailable Reason = "token_issuer_unavailable"
	// JournalUnavailable: that the token is used for the first time can't be written down just now, so it can't be accepted.
	JournalUnavailable Reason = "token_journal_unavailable"
)

// Error is a refused token. Its text never quotes the token.
type Error struct {
	Reason Reason
	// Detail in plain English: what is wrong and what to do.
	Detail string
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Detail }

// Sentence is the detail as it may be shown to people.
func (e *Error) Sentence() string { return sentence(e.Detail) }

// sentence makes one of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// ReasonOf is the reason of a refusal; "" for other errors.
func ReasonOf(err error) Reason {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// Authenticator proves who bears a token. The errors are *Error, or of the context.
type Authenticator interface {
	// User proves a user of an organisation, or an operator, from a bearer token.
	User(ctx context.Context, bearer string) (Principal, error)
	// Guest proves a resource's guest; each token works once.
	Guest(ctx context.Context, token string) (Principal, error)
}
