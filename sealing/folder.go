package sealing

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	keySuffix    = ".key"
	makingPrefix = ".making-"
	folderIDFile = "folder.id"
	// leftoverAge is how old a half-made file must be before it is taken for one whose maker was killed.
	leftoverAge = time.Hour
)

var folderIDPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)

func validFolderID(s string) bool { return folderIDPattern.MatchString(s) }

// folder is where the private halves of a region's keys are, shared by the region's nodes. A file has a name of its own until it is complete and
// on disk, and gets the name of its interval by a hard link: of two makers of one name exactly one succeeds, and no name stands for half a file.
type folder struct {
	path, region string
	// id tells this folder from another one at the same place.
	id string
}

// openFolder makes the folder if it isn't there.
func openFolder(dir, region string) (*folder, error) {
	f := &folder{path: filepath.Join(dir, region), region: region}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of keys: %w", err)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, fmt.Errorf("look at folder of keys: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("dir: others may look into %s (mode %04o); make its mode 0700", f.path, info.Mode().Perm())
	}
	if err := f.create(folderIDFile, []byte(randomHex(8))); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	id, err := os.ReadFile(filepath.Join(f.path, folderIDFile))
	if err != nil {
		return nil, fmt.Errorf("read id of folder of keys: %w", err)
	}
	if f.id = string(id); !validFolderID(f.id) {
		return nil, fmt.Errorf("dir: %s holds no id of a folder", filepath.Join(f.path, folderIDFile))
	}
	return f, nil
}

func keyName(start time.Time) string { return start.UTC().Format(stampFormat) + keySuffix }

// create writes a file that is not there yet; fs.ErrExist: it is. When it returns nil the file outlives a loss of power.
func (f *folder) create(name string, content []byte) error {
	temp, err := os.CreateTemp(f.path, makingPrefix+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("make file of keys: %w", err)
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	final := filepath.Join(f.path, name)
	if err == nil {
		if err = os.Link(temp.Name(), final); err != nil && same(temp.Name(), final) {
			err = nil // a network file system that lost its answer says that the name is taken, by this very file
		}
	}
	if err != nil {
		_ = erase(temp.Name())
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return err //nolint:wrapcheck // the caller's to tell apart
	case err != nil:
		return fmt.Errorf("write file of keys: %w", err)
	}
	if err := os.Remove(temp.Name()); err != nil {
		return fmt.Errorf("write file of keys: %w", err)
	}
	return f.sync()
}

// errOverwritten: the key is being destroyed.
var errOverwritten = errors.New("the key is overwritten")

// load reads the key of an interval; fs.ErrNotExist: there is none.
func (f *folder) load(name string) (*key, error) {
	b, err := os.ReadFile(filepath.Join(f.path, name))
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return nil, errOverwritten
	}
	return parseKey(f.region, b)
}

// names lists the files of keys.
func (f *folder) names() ([]string, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), keySuffix) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// destroy makes an interval's key unreadable: overwritten first, so that the bytes go with the file on disks that write in place. A file that is
// gone already is no error.
func (f *folder) destroy(name string) error {
	if err := erase(filepath.Join(f.path, name)); err != nil {
		return fmt.Errorf("destroy key: %w", err)
	}
	return f.sync()
}

// erase overwrites and removes.
func erase(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it did
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.WriteAt(make([]byte, info.Size()), 0)
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // as above
	}
	return nil
}

// sweep removes what makers that were killed left behind. The file may be a key that has its name already, which must stay readable.
func (f *folder) sweep(now time.Time) error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasPrefix(e.Name(), makingPrefix) || now.Sub(info.ModTime()) < leftoverAge {
			continue
		}
		path := filepath.Join(f.path, e.Name())
		if f.named(path) {
			errs = append(errs, os.Remove(path))
		} else {
			errs = append(errs, erase(path))
		}
	}
	return errors.Join(errs...)
}

// named tells whether a half-made file has its final name as well.
func (f *folder) named(path string) bool {
	names, err := f.names()
	if err != nil {
		return true
	}
	return same(path, filepath.Join(f.path, folderIDFile)) ||
		slices.ContainsFunc(names, func(name string) bool { return same(path, filepath.Join(f.path, name)) })
}

// same tells whether two names are of one file.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// sync puts names and removals on disk.
func (f *folder) sync() error {
	dir, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("sync folder of keys: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync folder of keys: %w", err)
	}
	return nil
}
