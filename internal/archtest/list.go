package archtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Platforms are the systems whose build-tagged files are looked at.
func Platforms() []string { return []string{"linux", "darwin"} }

// List answers the packages of the module at root as the go command sees them for one system. Packages that have
// test files only are left out.
func List(ctx context.Context, root, goos string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-json=ImportPath,Imports,GoFiles", "./...")
	cmd.Dir = root
	// CGO_ENABLED=0 is how the binary is built; the import "C" would hide behind it otherwise.
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w\n%s", err, stderr.Bytes())
	}
	var packages []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath       string
			Imports, GoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		if len(p.GoFiles) > 0 {
			packages = append(packages, Package{Path: p.ImportPath, Imports: p.Imports})
		}
	}
}
