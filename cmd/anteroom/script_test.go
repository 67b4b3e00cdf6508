package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anteroom/anteroom/internal/demo"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/policy/sandbox"
)

// The program under test is this binary: as `anteroom` in the scripts, and as the ClickHouse that it starts.
func TestMain(m *testing.M) {
	embedded.ChildMain()
	sandbox.ChildMain()
	crewBrokerMain()
	testscript.Main(withRigs{m}, map[string]func(){"anteroom": main})
}

func TestScripts(t *testing.T) {
	library := engineLibrary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			if library != "" {
				env.Setenv("ANTEROOM_CHDB", library)
			}
			for _, file := range demo.Files() {
				if err := os.WriteFile(filepath.Join(env.WorkDir, file.Name), file.Data, 0o600); err != nil {
					return err
				}
			}
			example, err := os.ReadFile("../../anteroom.example.yaml")
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "anteroom.example.yaml"), example, 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": scriptReady,
			"get":   scriptGet,
			"org":   scriptOrg,
		},
	})
}

// engineLibrary is where `make deps` has put libchdb.so; "" if a clickhouse program is to be used.
func engineLibrary(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("ANTEROOM_CHDB"); named != "" {
		return named
	}
	found, err := filepath.Glob("../../internal/embedded/node_modules/@chdb/*/libchdb.so")
	if err != nil || len(found) == 0 {
		return ""
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// scriptReady waits until the instance of a data folder is ready, and puts its address into $URL: ready DATA.
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready DATA")
	}
	url, err := awaitReady(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("URL", url)
	ts.Setenv("DATA", ts.MkAbs(args[0]))
}

// scriptOrg makes an organisation: org ID.
func scriptOrg(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: org ID")
	}
	ts.Check(makeOrg(ts.Getenv("URL"), ts.Getenv("DATA"), args[0]))
}

// makeOrg makes an organisation as an operator would.
func makeOrg(url, data, id string) error {
	token, err := devToken(tokenOptions{data: data, roles: []string{"operator"}})
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"id":%q,"name":%q,"kind":"work","region":"emea"}`, id, id)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/organizations", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	status, text, err := ask(req, token)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("make organisation %s: %d %s", id, status, text)
	}
	return err
}

// scriptGet prints the answer of a GET request of an admin and fails unless it is 200: get URL [ORGANISATION].
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: get URL [ORGANISATION]")
	}
	opt := tokenOptions{data: ts.Getenv("DATA"), org: demoOrg, roles: []string{"admin"}}
	if len(args) == 2 {
		opt.org = args[1]
	}
	token, err := devToken(opt)
	ts.Check(err)
	status, body, err := get(args[0], token)
	// Lists of calls are made of summaries, which follow the rows.
	for range 100 {
		if err != nil || !strings.HasPrefix(body, `{"calls":[]`) {
			break
		}
		time.Sleep(100 * time.Millisecond)
		status, body, err = get(args[0], token)
	}
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), body)
	if (status != http.StatusOK) != neg {
		ts.Fatalf("%s answers %d", args[0], status)
	}
}

// get asks with a token; "" for nobody.
func get(url, token string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	return ask(req, token)
}

func ask(req *http.Request, token string) (int, string, error) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// awaitReady reads the address from the lock of the data folder and asks until the service says that it is ready.
func awaitReady(data string) (string, error) {
	last := errors.New("nobody holds the data folder")
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var holder struct {
			URL string `json:"url"`
		}
		raw, err := os.ReadFile(filepath.Join(data, "anteroom.lock"))
		if err != nil || json.Unmarshal(raw, &holder) != nil || holder.URL == "" {
			continue
		}
		status, body, err := get(holder.URL+"/readyz", "")
		if err == nil && status == http.StatusOK {
			return holder.URL, nil
		}
		last = fmt.Errorf("%s/readyz: %d %s %w", holder.URL, status, strings.TrimSpace(body), errors.Join(err))
	}
	return "", fmt.Errorf("not ready: %w", last)
}
