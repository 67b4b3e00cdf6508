package archtest

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Platforms are the systems whose build-tagged files are looked at.
func Platforms() []string { return []string{"linux", "darwin"} }

// List answers the packages of the module at root, with the files that are built for one system. Packages that have
// test files only are left out. It reads the files itself instead of asking the go command, because the result of a
// test is cached by the files the test's own process has read.
func List(root, goos string) ([]Package, error) {
	system := build.Default
	system.GOOS = goos
	system.CgoEnabled = false // as the binary is built
	var packages []Package
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if dir != root && skipped(dir, entry.Name()) {
			return fs.SkipDir
		}
		p, err := system.ImportDir(dir, 0)
		var none *build.NoGoError
		if errors.As(err, &none) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read package: %w", err)
		}
		below, err := filepath.Rel(root, dir)
		if err != nil {
			return fmt.Errorf("name package: %w", err)
		}
		if len(p.GoFiles) > 0 {
			packages = append(packages, Package{Path: path.Join(Module, filepath.ToSlash(below)), Imports: p.Imports})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", goos, err)
	}
	return packages, nil
}

// skipped tells the folders that the go command doesn't look into either, and node_modules, which is large.
func skipped(dir, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
