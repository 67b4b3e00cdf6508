package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// libraryFile is the engine's file name in the npm packages, on macOS too.
const libraryFile = "libchdb.so"

// libraryEnv names the library where it lies outside the usual places.
const libraryEnv = "ANTEROOM_CHDB"

// errNoLibrary is returned when there is neither a binary nor the library.
var errNoLibrary = errors.New("no ClickHouse engine found")

// findLibrary returns the path of libchdb.so: the configured one, then the
// environment's, then lib/ beside the executable (where `make build` puts it),
// then this package's node_modules in a folder above the working directory
// (where tests find it).
func findLibrary(configured string) (string, error) {
	for _, named := range []struct{ path, by string }{
		{configured, "the configured library"},
		{os.Getenv(libraryEnv), libraryEnv},
	} {
		if named.path == "" {
			continue
		}
		if !isFile(named.path) {
			return "", fmt.Errorf("find ClickHouse engine: %s names %s, which is not a file", named.by, named.path)
		}
		return filepath.Abs(named.path)
	}
	if exe, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(exe); err == nil {
			exe = target
		}
		if lib := filepath.Join(filepath.Dir(exe), "lib", libraryFile); isFile(lib) {
			return lib, nil
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find ClickHouse engine: %w", err)
	}
	for {
		lib := filepath.Join(dir, "internal", "embedded", "node_modules", "@chdb", libraryPackage(), libraryFile)
		if isFile(lib) {
			return lib, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", fmt.Errorf("%w for %s/%s: run `make build`, put a `clickhouse` program on the PATH, or let %s name %s",
		errNoLibrary, runtime.GOOS, runtime.GOARCH, libraryEnv, libraryFile)
}

// libraryPackage is the npm package's name for this platform, without scope.
func libraryPackage() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS == "linux" {
		return "lib-linux-" + arch + "-gnu"
	}
	return "lib-" + runtime.GOOS + "-" + arch
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
