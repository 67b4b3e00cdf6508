package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"
)

// SignedOut are sessions of one user that were ended before their time. One row per user: who signs out often makes it no larger.
type SignedOut struct {
	// User as SignedOutID has it: the row tells nobody whose it is.
	User string `json:"user"`
	// Sessions that were ended, by id, with when they would have ended by themselves. Those past that are dropped at the next write.
	Sessions map[string]time.Time `json:"sessions"`
}

// SignedOutID is the row's id for a user of an organisation; "" for operators.
func SignedOutID(org, subject string) string {
	sum := sha256.Sum256([]byte(org + "\x00" + subject))
	return hex.EncodeToString(sum[:16])
}

// maxSignedOut bounds the sessions of one row: as many sign-ins within a session's time are nobody's.
const maxSignedOut = 1000

var (
	signedOutUser    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	signedOutSession = regexp.MustCompile(`^[0-9A-Z]{1,64}$`)
)

// Key names the control row. It is of no organisation, since operators sign out as well.
func (s SignedOut) Key() (org, id string) { return "", s.User }

// WithDefaults is the row as it is: nothing has a default.
func (s SignedOut) WithDefaults() SignedOut { return s }

// Validate names each field that can't be kept (*FieldError, joined).
func (s SignedOut) Validate() error {
	var c check
	if !signedOutUser.MatchString(s.User) {
		c.fail("user", "is not 32 hexadecimal digits")
	}
	if len(s.Sessions) > maxSignedOut {
		c.fail("sessions", "are too many")
	}
	for id := range s.Sessions {
		if !signedOutSession.MatchString(id) {
			c.fail("sessions", "have one whose id is none")
			break
		}
	}
	return c.err()
}
