package kafkatest

import (
	"context"
	"crypto/sha256"
	_ "embed" // pom.xml
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

//go:embed pom.xml
var pom []byte

// ErrMissingTool says that Java or Maven is missing or too old.
var ErrMissingTool = errors.New("tool missing")

const (
	fetchLimit  = 5 * time.Minute
	minimumJava = 17
	copyGoal    = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"
)

var (
	versionInPom  = regexp.MustCompile(`<kafka\.version>([^<]+)</kafka\.version>`)
	versionOfJava = regexp.MustCompile(`version "(\d+)`)
)

// Version is the version of Apache Kafka that this package runs.
func Version() string {
	return string(versionInPom.FindSubmatch(pom)[1])
}

// libraries answers the folder with the broker's jars, fetching them on first use. The folder's name holds the
// digest of the pom, so that a changed pom never meets old jars; a lock file lets several test processes come at once.
func libraries(ctx context.Context, progress io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	root := filepath.Join(cache, "anteroom")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	digest := sha256.Sum256(pom)
	dir := filepath.Join(root, "kafka-"+Version()+"-"+hex.EncodeToString(digest[:4]))
	if present(dir) {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("%w: maven (mvn) is needed once to fetch Apache Kafka", ErrMissingTool)
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if present(dir) { // another process was quicker
		return dir, nil
	}
	fmt.Fprintf(progress, "Fetching Apache Kafka %s (54 MB), once …\n", Version())
	if err := fetchInto(ctx, mvn, dir); err != nil {
		return "", err
	}
	return dir, nil
}

func present(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// fetchInto copies the jars beside dir first and renames at the end: dir is either complete or not there.
func fetchInto(ctx context.Context, mvn, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return fmt.Errorf("make a working folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return fmt.Errorf("write pom.xml: %w", err)
	}
	jars := filepath.Join(work, "jars")
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	// Strict checksums: a damaged download fails here and not as a strange class error later.
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-ntp", "--strict-checksums", "-f", file, copyGoal,
		"-DincludeScope=runtime", "-DoutputDirectory="+jars)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Apache Kafka with maven: %w\n%s", err, out)
	}
	if err := os.Rename(jars, dir); err != nil {
		return fmt.Errorf("keep the fetched jars: %w", err)
	}
	return nil
}

// lock waits for the exclusive lock on path; the kernel gives it back when the process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// findJava answers the path of a Java that is new enough.
func findJava(ctx context.Context) (string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: java %d or newer", ErrMissingTool, minimumJava)
	}
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w\n%s", err, out)
	}
	m := versionOfJava.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%w: java %d or newer, and the version of the one found can't be read", ErrMissingTool, minimumJava)
	}
	if major, err := strconv.Atoi(string(m[1])); err != nil || major < minimumJava {
		return "", fmt.Errorf("%w: java %d or newer, found %s", ErrMissingTool, minimumJava, m[1])
	}
	return java, nil
}
