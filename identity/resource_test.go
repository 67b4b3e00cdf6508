package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/identity"
)

// A resource proves itself by a token that it has signed for itself; no token that it has signed for a guest does, whatever that says, and each one works once.
func TestResourcesProveThemselves(t *testing.T) {
	w := newWorld(t)
	own := func() claims {
		return w.guest().with(claims{"aud": "anteroom-resource", "sub": resourceID})
	}
	token := w.guestKey.sign(t, own())
	got, err := w.Resource(t.Context(), token)
	want := identity.Principal{Resource: resourceID, Expires: w.clock.Now().Add(5 * time.Minute)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("(-want +got):\n%s%v", diff, err)
	}
	_, err = w.Resource(t.Context(), token)
	refused(t, err, identity.TokenReplayed, token)
	_, err = w.Guest(t.Context(), w.guestKey.sign(t, own()))
	refused(t, err, identity.TokenAudience, token)

	now := w.clock.Now()
	for _, test := range []struct {
		name   string
		change claims
		want   identity.Reason
	}{
		{"a guest's", claims{"aud": "anteroom", "sub": "guest-7"}, identity.TokenAudience},
		{"a guest with the resource's audience", claims{"sub": "guest-7"}, identity.TokenAudience},
		{"for guests too", claims{"aud": []string{"anteroom", "anteroom-resource"}}, identity.TokenAudience},
		{"the resource's id as a guest's", claims{"aud": "anteroom"}, identity.TokenAudience},
		{"another resource", claims{"iss": elsewhere, "sub": elsewhere}, identity.TokenSignature},
		{"one whose guests an OpenID provider signs for", claims{"iss": federated, "sub": federated}, identity.IssuerUnknown},
		{"an OpenID provider", claims{"iss": w.a.URL, "resource": resourceID}, identity.IssuerUnknown},
		{"the join page", claims{"iss": identity.JoinPageResource, "sub": identity.JoinPageResource}, identity.IssuerUnknown},
		{"id in capitals", claims{"iss": strings.ToUpper(resourceID)}, identity.IssuerUnknown},
		{"no id of the token", claims{"jti": nil}, identity.TokenIncomplete},
		{"valid for too long", claims{"exp": now.Add(time.Hour).Unix()}, identity.TokenTooLong},
		{"expired", claims{"iat": now.Add(-5 * time.Minute).Unix(), "exp": now.Add(-3 * time.Minute).Unix()}, identity.TokenExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := w.guestKey.sign(t, own().with(test.change))
			_, err := w.Resource(t.Context(), token)
			refused(t, err, test.want, token)
		})
	}
}
