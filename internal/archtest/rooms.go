package archtest

// House is the table of docs/architecture.md. Change both together.
func House() Table {
	return Table{Rooms: rooms(), ThirdParties: thirdParties()}
}

func rooms() []Room {
	contract := []string{"event", "event/eventpb"}
	with := func(more ...string) []string { return append(append([]string{}, contract...), more...) }
	const (
		decoder = "a decoder is a pure function from another system's bytes to events: it knows neither engine"
		forTest = "it exists for tests and measurements, and must not reach the binary"
	)
	return []Room{
		{Path: "event", May: []string{"event/eventpb"}, Why: "the wire contract stands under everything and on nothing"},
		{Path: "event/eventpb", Why: "generated from event/event.proto"},
		{Path: "quality", Why: "thresholds and verdicts are pure functions that anybody may call"},
		{Path: "policy", Why: "policy is asked, and asks nobody: a decision depends on its input only"},
		{Path: "policy/author", May: []string{"policy"}, Why: "what authors work with are functions of a content and the base: they store nothing and ask nobody"},
		{Path: "policy/sandbox", May: []string{"policy", "policy/author"}, Why: "it runs authors' policies in another process: it knows neither who asks nor where they are kept"},
		{Path: "policy/exchange", May: []string{"internal/bearer", "policy", "store"}, Why: "it speaks with agents of other systems: it gives what is active and keeps what they tell, and knows no users"},
		{Path: "policy/replay", May: []string{"policy", "policy/author", "policy/sandbox", "retention", "store"}, Why: "it decides again what was recorded, and on what is kept: it knows where inputs are, who counts things, and that others decide"},
		{
			Path: "policy/revisions", May: []string{"policy", "policy/author", "policy/sandbox", "store"},
			Why: "what is kept of organisations' policies, and what is active; meetings know the engine only, which this room tells what to decide by",
		},
		{Path: "directory", May: with("policy"), Why: "what is known before anybody calls, as plain values: shapes, defaults, validation"},
		{Path: "directory/registry", May: with("directory", "store"), Why: "the directory's values as control rows, so that those who only need the values see no store"},
		{Path: "identity/devissuer", May: []string{"identity"}, Why: "an OpenID provider for one machine; the service meets it like any other"},
		{Path: "internal/bearer", Why: "the text of tokens and what was believed of them: it knows neither what they are good for nor where they are kept"},
		{Path: "identity/apitoken", May: []string{"identity", "internal/bearer", "store"}, Why: "scripts' tokens are rows of the store, which identity itself doesn't see"},
		{Path: "identity", May: []string{"event", "directory"}, Why: "identity proves who asks; what they may do is the API's table and policy"},
		{Path: "media/protocol", Why: "the messages between client and meeting: shapes and limits only"},
		{Path: "media/measure", May: contract, Why: "arithmetic on packets: it knows neither sockets nor meetings"},
		{Path: "media/forward", May: with("media/protocol", "media/measure"), Why: "packets in, packets out: it decides nothing about who may"},
		{Path: "media/record", May: []string{"media/forward"}, Why: "recording and transcription are taps on what is forwarded"},
		{
			Path: "media/meeting", May: with("policy", "directory", "media/protocol", "media/forward", "media/record"),
			Why: "a session's state; what it needs of Kafka and of policy are its interfaces",
		},
		{Path: "media/nodes", May: []string{"store"}, Why: "which of several nodes has a meeting: rows that nodes compare, and nothing of what a meeting is"},
		{
			Path: "media/signal", May: []string{"policy", "directory", "identity", "media", "media/meeting", "media/protocol"},
			Why: "WebSockets in, requests to meetings out",
		},
		{
			Path: "media", May: with("policy", "directory", "identity", "media/meeting", "media/protocol", "media/forward", "media/record"),
			Why: "media sees neither Kafka nor ClickHouse: it says what it needs as small interfaces, wired in cmd",
		},
		{Path: "media/client", May: []string{"media/protocol"}, Why: "a client knows the protocol only, like one that others write"},
		{Path: "media/load", May: []string{"media/client", "media/protocol"}, Why: "load comes from clients: it knows nothing of the server that they could not"},

		{
			Path: "ingest",
			May:  with("quality", "store", "sealing", "internal/kafka", "internal/tracing", "ingest/label", "ingest/decode", "ingest/acs", "ingest/rtcstats", "ingest/webrtcstats", "ingest/webrtcinternals"),
			Why:  "data flows one way, from Kafka to ClickHouse: ingest knows no reader and no author",
		},
		{Path: "ingest/label", May: contract, Why: "labelling is a pure function of a record and of keys"},
		{Path: "ingest/decode", May: with("ingest/label"), Why: decoder},
		{Path: "ingest/acs", May: with("quality", "ingest/label", "ingest/decode"), Why: decoder},
		{Path: "ingest/webrtcstats", May: with("ingest/label", "ingest/decode"), Why: "what the dump formats share: standard statistics to stream reports"},
		{Path: "ingest/rtcstats", May: with("quality", "ingest/label", "ingest/decode", "ingest/webrtcstats"), Why: decoder},
		{Path: "ingest/getstats", May: with("ingest/label", "ingest/decode", "ingest/webrtcstats"), Why: decoder},
		{Path: "ingest/webrtcinternals", May: with("quality", "ingest/label", "ingest/decode", "ingest/webrtcstats"), Why: decoder},

		{
			Path: "collect", May: with("directory", "identity", "internal/kafka", "ingest/label", "ingest/decode", "ingest/rtcstats", "ingest/getstats"),
			Why: "clients' messages in, events out: it knows the decoders and the way into Kafka, neither ingest nor what becomes of the events",
		},
		{Path: "store", May: with("migrations"), Why: "the store knows tables, rows and queries, not who writes or reads them"},
		{Path: "sealing", May: with("store"), Why: "keys of a region: what is sealed, and whether all of it is ingested, is told to it"},
		{
			Path: "retention", May: with("directory", "directory/registry", "policy", "store", "retention/proof", "retention/evidence"),
			Why: "retention works on what is stored; it needs no broker, no meeting and no HTTP",
		},
		{Path: "retention/proof", Why: "who writes evidence and who checks it share this and nothing else"},
		{Path: "retention/evidence", May: []string{"store", "retention/proof"}, Why: "the forms that are hashed, made of what is stored in one place: all who make, show or check them must agree"},
		{Path: "retention/ledger", May: []string{"store", "retention/proof", "retention/evidence"}, Why: "leaves in, checkpoints out: it knows nothing of what they are about"},
		{Path: "retention/journal", May: []string{"store", "retention/proof"}, Why: "rows out of tables and into files: it knows of them what leaves are made of, and nothing else"},
		{
			Path: "retention/backup", May: []string{"store", "migrations", "retention/proof", "retention/journal"},
			Why: "copying is the store's; what others do with restored tables before anybody may see them is handed in",
		},
		{Path: "retention/report", May: []string{"store", "retention/proof", "retention/evidence", "retention/ledger"}, Why: "a bundle is made of what is stored and of the ledger"},
		{Path: "retention/verify", May: []string{"retention/proof"}, Why: "an auditor reads all of it: it trusts no other code of ours"},
		{Path: "analytics/graph", May: []string{"analytics", "quality", "store"}, Why: "another system's shape of judged calls: pure functions, so that nothing is shown that analytics doesn't show"},
		{Path: "analytics", May: []string{"quality", "store"}, Why: "judged calls as they may be shown: whoever shows one gets it here, and it knows none of them"},
		{Path: "logs", May: with("store"), Why: "records of ended calls, made of what is stored: how they are produced is handed in"},
		{Path: "analytics/live", May: []string{"analytics", "quality", "store"}, Why: "one poll for all who watch an organisation: how it is shown is handed in"},
		{
			Path: "api", May: with("analytics", "analytics/graph", "analytics/live", "api/openapi", "directory", "directory/registry", "identity", "identity/apitoken", "internal/tracing", "policy", "policy/author", "policy/exchange", "policy/replay", "policy/revisions", "policy/sandbox", "quality", "store", "retention", "retention/report", "web"),
			Why: "the API reads the store; what it asks of a running meeting is its interface Meetings, wired in cmd",
		},
		{Path: "api/openapi", Why: "generated from api/openapi.yaml"},
		{Path: "web", Why: "built pages as an embedded file system"},
		{Path: "migrations", Why: "numbered SQL, embedded; what runs it hands in the connection"},
		{Path: "dashboards", Why: "dashboards are files; their queries are run by tests"},

		{Path: "internal/recorder", May: with("internal/kafka", "internal/tracing"), Why: "numbers media's events and hands them to Kafka; media knows it by its own interface only"},
		{Path: "internal/tracing", Why: "spans go to a collector, and traces across Kafka: each room names its own spans"},
		{Path: "internal/webhook", May: contract, Why: "signed deliveries with retries; whoever has something to tell hands it in"},
		{Path: "internal/kafka", May: with("internal/tracing"), Why: "a thin leaf: connection, producer, topics"},
		{Path: "internal/embedded", Why: "engines know nothing of what is kept in them"},
		{
			Path: "internal/doctor", May: []string{"directory", "directory/registry", "identity", "internal/kafka", "migrations", "retention/ledger", "sealing", "store"},
			Why: "it judges what the rooms tell of their engines and folders; what a deployment has is handed in",
		},
		{Path: "internal/app", Why: "the lifecycle knows steps, not what they stop"},
		{
			Path: "internal/config",
			May: []string{
				"event", "analytics", "analytics/live", "api", "collect", "ingest", "ingest/acs", "ingest/label", "internal/embedded", "internal/kafka", "logs", "media", "media/nodes", "migrations",
				"policy", "policy/exchange", "policy/revisions", "policy/sandbox", "quality", "retention", "retention/backup", "retention/ledger", "retention/report", "sealing", "store", "identity", "media/record", "media/signal", "internal/recorder", "internal/tracing", "internal/webhook",
			},
			Why: "it gathers the rooms' Config structs and is read in cmd only: rooms are handed their own part",
		},
		{
			Path: "internal/demo", May: with("ingest/decode", "ingest/rtcstats", "media/client", "media/protocol"),
			Why: "recorded calls as embedded files, whose loading is the import command's work; its clients know of the service what any client does",
		},
		{Path: "cmd/anteroom", All: true, Why: "the only place that wires"},

		{Path: "internal/archtest", Test: true, Why: forTest},
		{Path: "internal/composetest", Test: true, Why: forTest},
		{Path: "internal/kafkatest", Test: true, Why: forTest},
		{Path: "internal/opatest", Test: true, Why: forTest},
		{Path: "internal/faulttest", Test: true, Why: forTest},
		{Path: "internal/scale", Test: true, Why: "it reckons with what was measured, and is no part of what it reckons about"},
		{Path: "internal/supply", Test: true, Why: "it tells what the module is made of, and is no part of it"},
		{Path: "internal/embedded/embeddedtest", Test: true, Why: forTest},
		{Path: "store/storetest", Test: true, Why: forTest},
		{Path: "bench", Test: true, Why: forTest},
	}
}

func thirdParties() []ThirdParty {
	const (
		httpOnly  = "HTTP and its generated code end at the api room, so that the framework can be changed in one place"
		cliOnly   = "the terminal is cmd's"
		testsOnly = "it is a tool of tests"
	)
	api := []string{"api", "api/openapi"}
	cmd := []string{"cmd/anteroom"}
	return []ThirdParty{
		{Prefix: "github.com/pion", Rooms: []string{"media/forward", "media/measure", "media/record", "media/client", "media/load"}, Why: "media is the only room that speaks WebRTC"},
		{Prefix: "github.com/open-policy-agent", Rooms: []string{"policy", "policy/author", "policy/exchange"}, Why: "who asks for a decision sees capabilities and reasons, not Rego"},

		{Prefix: "github.com/aymanbagabas/go-udiff", Rooms: []string{"policy/revisions"}, Why: "revisions are compared where they are kept"},

		{Prefix: "github.com/labstack/echo", Rooms: api, Why: httpOnly},
		{Prefix: "github.com/oapi-codegen", Rooms: api, Why: httpOnly},
		{Prefix: "github.com/getkin/kin-openapi", Rooms: api, Why: httpOnly},
		{Prefix: "github.com/golang-jwt/jwt", Rooms: []string{"identity", "identity/devissuer"}, Why: "who asks is proven in one room"},
		{Prefix: "github.com/coreos/go-oidc", Rooms: []string{"identity"}, Why: "who asks is proven in one room"},
		{Prefix: "github.com/go-jose/go-jose", Rooms: []string{"identity", "identity/devissuer"}, Why: "key sets are read in one room"},
		{Prefix: "golang.org/x/oauth2", Rooms: []string{"identity"}, Why: "who asks is proven in one room"},
		{Prefix: "golang.org/x/time", Rooms: []string{"api", "collect", "media", "media/signal"}, Why: "rates are limited at the doors"},
		{Prefix: "golang.org/x/text", Any: true, Why: "next to the standard library"},
		{Prefix: "github.com/coder/websocket", Rooms: []string{"collect", "media/signal", "media/client", "media/record"}, Why: "only what faces clients, and the sink of transcription"},

		{
			Prefix: "github.com/ClickHouse", Rooms: []string{"store", "migrations", "cmd/anteroom"},
			Why: "queries live in the room that owns the tables; the migration command opens a connection for goose",
		},
		{Prefix: "github.com/pressly/goose", Rooms: []string{"migrations", "cmd/anteroom"}, Why: "the schema changes by migration only"},
		{Prefix: "github.com/segmentio/kafka-go", Rooms: []string{"internal/kafka", "ingest"}, Why: "the broker is reached in two places: produced to in internal/kafka, consumed in ingest"},
		{Prefix: "github.com/twmb", Rooms: []string{"internal/embedded"}, Why: "the broker in process is an engine, not a client"},
		{Prefix: "github.com/ebitengine/purego", Rooms: []string{"internal/embedded"}, Why: "only the engine's child process loads a library"},
		{Prefix: "github.com/creack/pty", Rooms: []string{"internal/embedded"}, Why: "only the engine's child process hangs on a terminal device"},
		{
			Prefix: "github.com/transparency-dev", Rooms: []string{"retention/ledger", "retention/proof", "retention/report", "retention/verify"},
			Why: "the ledger's room appends and proves; reports carry its proofs, and verification checks them",
		},
		{Prefix: "golang.org/x/mod", Rooms: []string{"retention/ledger", "retention/proof"}, Why: "signed notes are made in the ledger's room and read by the forms of proof"},
		{Prefix: "k8s.io/klog", Rooms: []string{"retention/ledger"}, Why: "tessera logs by it, and the ledger's room hands that on"},

		{Prefix: "github.com/parquet-go/parquet-go", Rooms: []string{"retention/report"}, Why: "reports are the only files of it"},
		{Prefix: "codeberg.org/go-pdf/fpdf", Rooms: []string{"retention/report"}, Why: "reports have a summary for people"},
		{Prefix: "golang.org/x/image", Rooms: []string{"retention/report"}, Why: "the summary's fonts"},

		{
			Prefix: "google.golang.org/protobuf",
			Rooms:  []string{"event", "event/eventpb", "ingest", "ingest/acs", "ingest/decode", "ingest/label", "ingest/rtcstats", "ingest/webrtcinternals", "ingest/webrtcstats", "media/meeting", "media/forward", "media/measure", "internal/recorder"},
			Why:    "the encoding is the event room's; makers and readers of events may use its message helpers, nobody else",
		},
		{Prefix: "github.com/spf13", Rooms: cmd, Why: cliOnly},
		{Prefix: "github.com/jedib0t/go-pretty", Rooms: cmd, Why: cliOnly},
		{Prefix: "github.com/knadh/koanf", Rooms: []string{"internal/config"}, Why: "configuration is read once; rooms get structs"},
		{Prefix: "go.yaml.in/yaml", Rooms: []string{"internal/config"}, Why: "configuration is read once; rooms get structs"},
		{Prefix: "golang.org/x/sys", Rooms: []string{"internal/embedded"}, Why: "system calls are the engines'"},

		{Prefix: "golang.org/x/net", Rooms: []string{"media/forward"}, Why: "many packets in one system call"},

		{Prefix: "github.com/google/uuid", Any: true, Why: "a value type"},
		{Prefix: "github.com/prometheus/client_golang", Any: true, Why: "each room owns its metrics"},
		{Prefix: "go.opentelemetry.io", Any: true, Why: "each room owns its spans"},
		{Prefix: "golang.org/x/sync", Any: true, Why: "next to the standard library"},
		{Prefix: "golang.org/x/crypto", Any: true, Why: "next to the standard library"},
		{Prefix: "github.com/klauspost/compress", Rooms: []string{"ingest", "ingest/decode", "ingest/rtcstats", "ingest/webrtcinternals", "store"}, Why: "dumps and columns come compressed; nothing else does"},

		{Prefix: "github.com/google/go-cmp", Why: testsOnly},
		{Prefix: "github.com/zitadel", Why: testsOnly},
		{Prefix: "k8s.io/api", Why: testsOnly},
		{Prefix: "sigs.k8s.io", Why: testsOnly},
		{Prefix: "pgregory.net/rapid", Why: testsOnly},
		{Prefix: "github.com/rogpeppe/go-internal", Why: testsOnly},
	}
}
