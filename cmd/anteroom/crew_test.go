package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anteroom/anteroom/identity"
	"github.com/anteroom/anteroom/identity/devissuer"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/faulttest"
	"github.com/anteroom/anteroom/store"
)

// crewBrokerEnv makes a run of the test binary a broker on the data folder that it names, until it is killed or whoever started it is gone.
const crewBrokerEnv = "ANTEROOM_TEST_CREW_BROKER"

// crewBrokerMain is such a broker; it returns at once in any other process.
func crewBrokerMain() {
	dir := os.Getenv(crewBrokerEnv)
	if dir == "" {
		return
	}
	cfg := embedded.DefaultBrokerConfig(dir)
	cfg.Advertise = os.Getenv(crewBrokerEnv + "_ADVERTISE")
	broker, err := embedded.StartBroker(context.Background(), cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(broker.Addr(), broker.User(), broker.Password(), broker.Mechanism())
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// What a crew is made of.
const (
	crewBroker     = "broker"
	crewClickHouse = "ClickHouse"
)

// crew is Anteroom as processes of one role each, with a broker and a ClickHouse that are processes too. Any of them can be killed at any moment, and
// comes back at its old address; what goes between engines and roles can be cut, slowed and stopped. It has two regions, whose engines are the same.
type crew struct {
	t       *testing.T
	dir     string
	environ []string
	// home and far are how the regions' tables are reached.
	home, far store.Config
	// api and media are where the roles of that name listen.
	api, media *rig
	issuer     *devissuer.Issuer
	engine     embedded.ClickHouseConfig
	// toBroker and toClickHouse are what stands between them and the roles.
	toBroker, toClickHouse *faulttest.Proxy
	// network is where the roles are that work for the regions; nil: they are here, like all others.
	network *faulttest.Network

	mu      sync.Mutex
	members map[string]*crewMember // guarded by mu; the map itself is made once
	over    bool                   // guarded by mu: nothing is started any more
}

// crewMember is one process.
type crewMember struct {
	name string
	// ready is an address that answers 200 when it works; "" for engines, which work as soon as they have started, and for what can't be asked.
	ready string
	// start starts the process and returns it, and whatever is to be closed when it has ended.
	start func() (*os.Process, func(), error)

	process *os.Process // guarded by crew.mu; nil while it isn't there
	after   func()      // guarded by crew.mu
	kills   int         // guarded by crew.mu
}

// newCrew starts all of it and waits until each process is ready. In a network, if there is one, are the roles that work for the regions.
func newCrew(t *testing.T, network *faulttest.Network, more ...string) *crew {
	t.Helper()
	host := "127.0.0.1"
	if network != nil {
		host = network.Host()
	}
	f := &crew{
		t: t, dir: t.TempDir(), members: map[string]*crewMember{}, network: network, toBroker: faulttest.NewProxyOn(t, host), toClickHouse: faulttest.NewProxyOn(t, host),
	}
	t.Cleanup(f.end)
	if err := os.Symlink(os.Args[0], filepath.Join(f.dir, "anteroom")); err != nil { // by its name the test binary is anteroom
		t.Fatal(err)
	}
	_, users := issuers(t, f.dir)
	f.issuer = users.provider
	ports, err := embedded.FreePorts(6)
	if err != nil {
		t.Fatal(err)
	}
	listen := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	f.add(&crewMember{name: crewBroker, start: f.startBroker})
	f.engine = embedded.DefaultClickHouseConfig(filepath.Join(f.dir, "clickhouse"))
	f.engine.NativePort, f.engine.HTTPPort = ports[0], ports[1]
	f.add(&crewMember{name: crewClickHouse, start: f.startClickHouse})
	f.environ = append(f.environ, quietLimits(more...)...)
	f.environ = append(f.environ,
		"ANTEROOM_LABELLING_KEY="+strings.Repeat("k", 32), "ANTEROOM_IDENTITY_DEVELOPMENT_ISSUER="+users.url,
		"ANTEROOM_IDENTITY_MASTER_KEY="+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("m", 32))),
		"ANTEROOM_SEALING_DIR="+filepath.Join(f.dir, "keys"), "ANTEROOM_LEDGER_DIR="+filepath.Join(f.dir, "ledger"),
		"ANTEROOM_EXPORTS_DIR="+filepath.Join(f.dir, "exports"),
	)
	if out, err := f.command("migrate").CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	for i, r := range roles() {
		f.addRole(r, listen(2+i))
	}
	f.api = &rig{data: f.dir, url: "http://" + listen(2+slices.Index(roles(), roleAPI)), issuer: f.issuer}
	f.media = &rig{data: f.dir, url: "http://" + listen(2+slices.Index(roles(), roleMedia)), issuer: f.issuer}
	f.awaitReady()
	return f
}

// add adds a process and starts it.
func (f *crew) add(m *crewMember) {
	f.t.Helper()
	f.mu.Lock()
	f.members[m.name] = m
	f.mu.Unlock()
	if err := f.start(m.name); err != nil {
		f.t.Fatalf("start %s: %v", m.name, err)
	}
}

// addRole adds `anteroom serve` of one role. Roles without an API have an address for whoever watches them.
func (f *crew) addRole(r role, listen string) {
	f.t.Helper()
	environ := []string{"ANTEROOM_IDENTITY_STATE_FOLDER=" + filepath.Join(f.dir, "identity-"+string(r))}
	ready, elsewhere := "http://"+listen+"/readyz", false
	switch {
	case r == roleAPI || r == roleMedia:
		environ = append(environ, "ANTEROOM_LISTEN="+listen)
	case f.network != nil:
		ready, elsewhere = "", true // it can't be asked from here
	default:
		environ = append(environ, "ANTEROOM_OPERATIONS_LISTEN="+listen)
	}
	f.add(&crewMember{name: string(r), ready: ready, start: func() (*os.Process, func(), error) {
		cmd := f.command("serve", "--roles="+string(r))
		if elsewhere {
			line := append(f.network.Inside(), cmd.Args...)
			inside := exec.Command(line[0], line[1:]...)
			inside.Env, cmd = cmd.Env, inside
		}
		cmd.Env = append(cmd.Env, environ...)
		log, err := os.OpenFile(f.log(string(r)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, err
		}
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			return nil, nil, errors.Join(err, log.Close())
		}
		return cmd.Process, func() { _ = log.Close() }, nil
	}})
}

func (f *crew) log(name string) string { return filepath.Join(f.dir, name+".log") }

// command is a subcommand of anteroom as a process of its own, configured as the crew is.
func (f *crew) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(f.dir, "anteroom"), args...)
	cmd.Env = append(os.Environ(), f.environ...)
	return cmd
}

func (f *crew) startBroker() (*os.Process, func(), error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crewBrokerEnv+"="+filepath.Join(f.dir, "kafka"), crewBrokerEnv+"_ADVERTISE="+f.toBroker.Addr())
	cmd.Stderr = os.Stderr
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	after := func() { _, _ = leash.Close(), stdout.Close() }
	var addr, user, password, mechanism string
	if _, err := fmt.Fscan(stdout, &addr, &user, &password, &mechanism); err != nil {
		_ = cmd.Process.Kill()
		after()
		return nil, nil, fmt.Errorf("the broker does not say where it is: %w", err)
	}
	f.toBroker.To(addr)
	reached := []string{
		"ANTEROOM_KAFKA_BROKERS=" + f.toBroker.Addr(), "ANTEROOM_KAFKA_SASL_MECHANISM=" + mechanism, "ANTEROOM_KAFKA_SASL_USERNAME=" + user, "ANTEROOM_KAFKA_SASL_PASSWORD=" + password,
	}
	if len(f.environ) == 0 {
		f.environ = reached
	} else if !slices.Equal(reached, f.environ[:len(reached)]) {
		f.t.Errorf("the broker came back elsewhere: %s", addr)
	}
	return cmd.Process, after, nil
}

func (f *crew) startClickHouse() (*os.Process, func(), error) {
	running, err := embedded.StartClickHouse(context.Background(), f.engine)
	if err != nil {
		return nil, nil, err
	}
	process, err := os.FindProcess(running.Pid())
	if err != nil {
		return nil, nil, err
	}
	if f.home.Addresses == nil {
		f.toClickHouse.To(running.Addr())
		f.home = store.DefaultConfig()
		f.home.Addresses, f.home.Username, f.home.Password = []string{running.Addr()}, running.User(), running.Password()
		f.far = f.home
		f.far.Database = config.EmbeddedDatabase("amer")
		kafka := map[string]string{}
		for _, line := range f.environ {
			name, value, _ := strings.Cut(line, "=")
			kafka[strings.TrimPrefix(name, "ANTEROOM_KAFKA_")] = value
		}
		f.environ = append(f.environ,
			"ANTEROOM_CLICKHOUSE_ADDRESSES="+f.toClickHouse.Addr(), "ANTEROOM_CLICKHOUSE_USERNAME="+running.User(), "ANTEROOM_CLICKHOUSE_PASSWORD="+running.Password(),
			fmt.Sprintf(`ANTEROOM_REGIONS=[{name: amer, clickhouse: {addresses: [%q], username: %q, password: %q, database: %s},
				kafka: {brokers: [%q], sasl: {mechanism: %q, username: %q, password: %q}}}]`, f.toClickHouse.Addr(), running.User(), running.Password(), f.far.Database,
				kafka["BROKERS"], kafka["SASL_MECHANISM"], kafka["SASL_USERNAME"], kafka["SASL_PASSWORD"]))
	}
	return process, func() { <-running.Done(); _ = running.Close() }, nil
}

// start starts a process that isn't there, and returns once it is started.
func (f *crew) start(name string) error {
	f.mu.Lock()
	m := f.members[name]
	over := f.over
	f.mu.Unlock()
	if over {
		return nil
	}
	process, after, err := m.start()
	if err != nil {
		return err
	}
	f.mu.Lock()
	m.process, m.after = process, after
	over = f.over
	f.mu.Unlock()
	if over {
		f.kill(name)
	}
	return nil
}

// kill ends a process at once, and waits for its end. false: it isn't there.
func (f *crew) kill(name string) bool {
	f.mu.Lock()
	m := f.members[name]
	process, after := m.process, m.after
	m.process, m.after = nil, nil
	f.mu.Unlock()
	if process == nil {
		return false
	}
	_ = process.Signal(syscall.SIGCONT) // it may have been stopped
	_ = process.Kill()
	if name != crewClickHouse { // who started that waits for it
		_, _ = process.Wait()
	}
	after()
	f.mu.Lock()
	m.kills++
	f.mu.Unlock()
	return true
}

// signal sends a signal to a process; false: it isn't there.
func (f *crew) signal(name string, s syscall.Signal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.members[name]
	return m.process != nil && m.process.Signal(s) == nil
}

// names are those of all processes, sorted.
func (f *crew) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.members))
}

// awaitReady waits until each process works.
func (f *crew) awaitReady() {
	f.t.Helper()
	for _, name := range f.names() {
		f.mu.Lock()
		at := f.members[name].ready
		f.mu.Unlock()
		if at == "" {
			continue
		}
		within(f.t, 2*time.Minute, name+" is ready", func() (bool, string) {
			status, body, err := get(at, "")
			if err != nil {
				body = lastLines(f.logged(name), 5)
			}
			return err == nil && status == http.StatusOK, fmt.Sprint(status, body, err)
		})
	}
}

// logged is all that a process has said.
func (f *crew) logged(name string) string {
	text, _ := os.ReadFile(f.log(name))
	return string(text)
}

// end kills everything.
func (f *crew) end() {
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	for _, name := range f.names() {
		if f.t.Failed() {
			if said := f.logged(name); said != "" {
				f.t.Logf("%s said at last:\n%s", name, lastLines(said, 40))
			}
		}
		f.kill(name)
	}
}

// token signs somebody in.
func (f *crew) token(org, user string, roles ...identity.Role) (string, error) {
	return f.issuer.Token(org, roles, user, time.Hour)
}

// open opens a region's tables.
func (f *crew) open(cfg store.Config) *store.Store {
	f.t.Helper()
	s, err := store.Open(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Close() })
	return s
}
