package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/anteroom/anteroom/identity"
)

type ticket struct {
	Name  string
	Until time.Time
}

func TestSealedTokens(t *testing.T) {
	w := newWorld(t)
	want := ticket{Name: "Grace Hopper", Until: w.clock.Now()}
	token, err := w.Sign(identity.KindResume, want, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	open := func(kind, token string) (got ticket, err error) {
		err = w.Open(kind, token, &got)
		return got, err
	}
	got, err := open(identity.KindResume, token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(token, "Grace") || strings.Contains(token, "R3JhY2") {
		t.Error("the token can be read")
	}
	changed := func(part int) string {
		parts := strings.Split(token, ".")
		flip := "A"
		if strings.HasPrefix(parts[part], "A") {
			flip = "B"
		}
		parts[part] = flip + parts[part][min(1, len(parts[part])):]
		return strings.Join(parts, ".")
	}
	foreign, err := newWorld(t).Sign(identity.KindResume, want, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	byPassword, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.PBES2_HS256_A128KW, Key: "password", PBES2Count: 1000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := byPassword.Encrypt([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	password, err := encrypted.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, kind, token string
		want              identity.Reason
	}{
		{"permitted", identity.KindResume, token, ""},
		{"another kind", identity.KindSession, token, identity.TokenSignature},
		{"another master key", identity.KindResume, foreign, identity.TokenSignature},
		{"changed header", identity.KindResume, changed(0), identity.TokenMalformed},
		{"changed nonce", identity.KindResume, changed(2), identity.TokenSignature},
		{"changed content", identity.KindResume, changed(3), identity.TokenSignature},
		{"changed tag", identity.KindResume, changed(4), identity.TokenSignature},
		{"another algorithm", identity.KindResume, password, identity.TokenMalformed},
		{"a signed token", identity.KindResume, w.guestKey.sign(t, w.guest()), identity.TokenMalformed},
		{"nothing", identity.KindResume, "", identity.TokenMissing},
		{"too long", identity.KindResume, strings.Repeat("e", 17<<10), identity.TokenMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(test.kind, test.token)
			refused(t, err, test.want, test.token)
		})
	}
	var number int
	refused(t, w.Open(identity.KindResume, token, &number), identity.TokenMalformed, token)
	w.clock.Add(time.Minute - time.Millisecond)
	if _, err := open(identity.KindResume, token); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	w.clock.Add(time.Millisecond)
	_, err = open(identity.KindResume, token)
	refused(t, err, identity.TokenExpired, token)
	if _, err := w.Sign(identity.KindResume, ticket{Name: strings.Repeat("n", 20<<10)}, time.Minute); err == nil {
		t.Error("made a token that it would not open")
	}
}

// A restart, or another node with the same master key, opens what was sealed before, also over midnight.
func TestSealedTokensOutliveTheProcess(t *testing.T) {
	w := newWorld(t)
	token, err := w.Sign(identity.KindResume, ticket{Name: "x"}, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret := w.LinkSecret("m", 1)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(25 * time.Hour)
	w.open(t)
	var got ticket
	if err := w.Open(identity.KindResume, token, &got); err != nil {
		t.Error(err)
	}
	if !w.CheckLinkSecret("m", 1, secret) {
		t.Error("the link is void after a restart")
	}
}

func TestLinkSecrets(t *testing.T) {
	w := newWorld(t)
	secret := w.LinkSecret("5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1)
	if len(secret) != 22 {
		t.Errorf("got %d characters, want 22", len(secret))
	}
	for _, test := range []struct {
		name    string
		meeting string
		version int
		secret  string
		want    bool
	}{
		{"right", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1, secret, true},
		{"another meeting", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c45", 1, secret, false},
		{"a link made anew", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 2, secret, false},
		{"cut short", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1, secret[:21], false},
		{"nothing", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1, "", false},
		{"another installation", "5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1, newWorld(t).LinkSecret("5f0c2f6e-1f5f-4a3e-9d3c-0d6b6a0f1c44", 1), false},
	} {
		if got := w.CheckLinkSecret(test.meeting, test.version, test.secret); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	w := newWorld(f)
	valid, err := w.Sign(identity.KindResume, ticket{Name: "x"}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add("e30....")
	f.Fuzz(func(t *testing.T, token string) {
		var got ticket
		err := w.Open(identity.KindResume, token, &got)
		if err == nil && got.Name != "x" {
			t.Errorf("opened %q as %+v", token, got)
		} else if err != nil && identity.ReasonOf(err) == "" {
			t.Errorf("no reason: %v", err)
		}
	})
}
