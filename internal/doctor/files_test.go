package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := file("secret", canary, 0o600)
	for _, tt := range []struct {
		name     string
		path     Path
		check    string
		status   Status
		says, do string
	}{
		{"good file", Path{Key: "k", Path: secret, Secret: true}, "files", OK, "can be read", ""},
		{"good folder", Path{Key: "k", Path: dir, Folder: true}, "files", OK, "can be written", ""},
		{"not set", Path{Key: "ledger.dir", Folder: true, Needed: true, For: "the role retention"}, "files", Failed, "the role retention needs it", "Set ledger.dir"},
		{"missing", Path{Key: "k", Path: filepath.Join(dir, "none")}, "files", Failed, "no such file", "Bring it back"},
		{"still to be made", Path{Key: "k", Path: filepath.Join(dir, "none"), Made: true}, "files", Skipped, "made when the service starts", ""},
		{"readable by others", Path{Key: "k", Path: file("open-secret", canary, 0o644), Secret: true}, "files", Failed, "mode 0644", "chmod 600"},
		{"open to others", Path{Key: "k", Path: open, Folder: true, Secret: true}, "files", Failed, "mode 0755", "chmod 700"},
		{"empty", Path{Key: "k", Path: file("empty", "", 0o600)}, "files", Failed, "is empty", "Bring it back"},
		{"a file", Path{Key: "k", Path: secret, Folder: true}, "files", Failed, "is no folder", "Mend k"},
		{"a folder", Path{Key: "k", Path: dir}, "files", Failed, "is a folder", "Mend k"},
		{"not to be written", Path{Key: "k", Path: "/proc", Folder: true}, "files", Failed, "can't be written", "right to write"},
		{"no certificate", Path{Key: "k", Path: secret, Certificate: true}, "certificates", Failed, "no certificate", "PEM"},
		{"good certificate", Path{Key: "k", Path: file("good.pem", certificate(t, 90*24*time.Hour), 0o644), Certificate: true}, "certificates", OK, "holds until", ""},
		{"expiring", Path{Key: "k", Path: file("soon.pem", certificate(t, 48*time.Hour), 0o644), Certificate: true}, "certificates", Warning, "expires on", "Renew"},
		{"expired", Path{Key: "k", Path: file("over.pem", certificate(t, -time.Hour), 0o644), Certificate: true}, "certificates", Failed, "has expired", "Renew"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := looked(t, Files(tt.path))
			if tt.status == Skipped {
				if len(r.Checks) != 1 || r.Checks[0].Status != Skipped {
					t.Errorf("%s", r.Text())
				}
				return
			}
			expect(t, r, tt.check, tt.status, tt.says, tt.do)
		})
	}
	disks := 0
	for _, c := range looked(t, Files(Path{Key: "a", Path: dir, Folder: true}, Path{Key: "b", Path: dir, Folder: true})).Checks {
		if c.Name == "disk" {
			disks++
		}
	}
	if disks != 1 {
		t.Errorf("the one disk of two folders is told of %d times", disks)
	}
}

func certificate(t *testing.T, holds time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(holds)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}
