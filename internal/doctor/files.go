package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Path is a file or a folder that a configuration names.
type Path struct {
	// Key is the name in the configuration.
	Key, Path string
	// Folder: it is one, with a disk of which room is needed; else a file.
	Folder bool
	// Secret: nobody else may read it.
	Secret bool
	// Certificate: its validity is looked at.
	Certificate bool
	// Needed: a process doesn't start without it; For says which. Else it is fine if Path is empty.
	Needed bool
	For    string
	// Made: the service makes it at its first start.
	Made bool
}

// certificateWarning is how long before its end a certificate is told of.
const certificateWarning = 21 * 24 * time.Hour

// Files looks at files and folders.
func Files(paths ...Path) Job {
	return Job{Name: "files", look: func(_ context.Context, s *subject) {
		disks := map[uint64]bool{}
		for _, p := range paths {
			p.look(s, time.Now(), disks)
		}
	}}
}

func (p Path) look(s *subject, now time.Time, disks map[uint64]bool) {
	if p.Path == "" {
		if p.Needed {
			s.fail("files", "Set "+p.Key+".", "%s is not set: %s needs it", p.Key, p.For)
		}
		return
	}
	info, err := os.Stat(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.Made:
		s.skip("files", "", "%s (%s) is not there yet: it is made when the service starts", p.Key, p.Path)
		return
	case err != nil:
		s.fail("files", "Bring it back from where you keep it, or mend "+p.Key+".", "%s: %v", p.Key, err)
		return
	case info.IsDir() != p.Folder:
		s.fail("files", "Mend "+p.Key+".", "%s (%s) is %s", p.Key, p.Path, map[bool]string{true: "a folder, not a file", false: "no folder"}[info.IsDir()])
		return
	}
	if mode := info.Mode().Perm(); p.Secret && mode&0o077 != 0 {
		want := "600"
		if p.Folder {
			want = "700"
		}
		s.fail("files", fmt.Sprintf("chmod %s %s; if others could read it, take it for known and make another one.", want, p.Path), "%s (%s) may be read by others: mode %04o", p.Key, p.Path, mode)
		return
	}
	if p.Folder {
		p.folder(s, disks)
		return
	}
	p.file(s, now)
}

func (p Path) folder(s *subject, disks map[uint64]bool) {
	// Writing is tried, since rights, read-only mounts and quotas all can be in the way; the file is gone at once.
	probe, err := os.CreateTemp(p.Path, ".doctor-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		s.fail("files", "Give the service's user the right to write there (as user of the service, run this again).", "%s: can't be written: %v", p.Key, err)
		return
	}
	s.ok("files", "%s (%s) can be written", p.Key, p.Path)
	var on syscall.Statfs_t
	var info syscall.Stat_t
	if syscall.Statfs(p.Path, &on) != nil || syscall.Stat(p.Path, &info) != nil || disks[uint64(info.Dev)] { //nolint:unconvert // narrower elsewhere
		return
	}
	disks[uint64(info.Dev)] = true //nolint:unconvert // narrower elsewhere
	size := uint64(on.Bsize)       //nolint:gosec // never negative
	judgeDisk(s, "disk", "the disk of "+p.Key, on.Bavail*size, on.Blocks*size)
}

func (p Path) file(s *subject, now time.Time) {
	text, err := os.ReadFile(p.Path)
	if err != nil {
		s.fail("files", "Give the service's user the right to read it.", "%s: %v", p.Key, err)
		return
	}
	if len(text) == 0 {
		s.fail("files", "Bring it back from where you keep it.", "%s (%s) is empty", p.Key, p.Path)
		return
	}
	if !p.Certificate {
		s.ok("files", "%s (%s) can be read", p.Key, filepath.Base(p.Path))
		return
	}
	until, err := validUntil(text)
	switch {
	case err != nil:
		s.fail("certificates", "Give a certificate in PEM form.", "%s (%s): %v", p.Key, p.Path, err)
	case now.After(until):
		s.fail("certificates", "Renew it and start the service again.", "%s (%s) has expired on %s", p.Key, p.Path, until.Format(time.DateOnly))
	case until.Sub(now) < certificateWarning:
		s.warn("certificates", "Renew it and start the service again.", "%s (%s) expires on %s", p.Key, p.Path, until.Format(time.DateOnly))
	default:
		s.ok("certificates", "%s holds until %s", p.Key, until.Format(time.DateOnly))
	}
}

// validUntil is when the first of a file's certificates to expire does.
func validUntil(text []byte) (until time.Time, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return until, fmt.Errorf("read certificate: %w", err)
		}
		if until.IsZero() || c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	if until.IsZero() {
		return until, errors.New("it holds no certificate")
	}
	return until, nil
}
