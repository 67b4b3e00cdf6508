package kafkatest

import (
	"io"
	"maps"
	"os"
)

// Option changes how a cluster is run.
type Option func(*options)

type options struct {
	heap       string
	jvmFlags   []string
	properties map[string]string
	username   string // with password: SASL PLAIN over TLS
	password   string
	progress   io.Writer
	brokers    int
}

func defaults() options {
	return options{
		heap: "512m",
		// A test's broker lives for seconds: the quick compiler and the simple collector start soonest.
		jvmFlags:   []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"},
		properties: map[string]string{},
		progress:   os.Stderr,
		brokers:    1,
	}
}

// WithProperties sets broker properties (server.properties), over the package's own.
func WithProperties(p map[string]string) Option {
	return func(o *options) { maps.Copy(o.properties, p) }
}

// WithHeap sets the JVM's largest heap, in the notation of -Xmx. Default: 512m.
func WithHeap(size string) Option {
	return func(o *options) { o.heap = size }
}

// WithBrokers runs a cluster of so many nodes, each a broker and a controller. Give each little memory (WithHeap).
func WithBrokers(n int) Option {
	return func(o *options) { o.brokers = n }
}

// ForThroughput runs the JVM as a server would (all compilers, G1), for measurements. It starts a little slower.
func ForThroughput() Option {
	return func(o *options) { o.jvmFlags = []string{"-server", "-XX:+UseG1GC"} }
}

// WithSASLPlain makes [Cluster.Brokers] speak TLS with SASL PLAIN, as Azure Event Hubs does, and accept this one
// user. [Cluster.TLS] then trusts the broker's certificate, and [Cluster.Plaintext] stays open for the test's own
// administration.
func WithSASLPlain(username, password string) Option {
	return func(o *options) { o.username, o.password = username, password }
}

// WithProgress says where lines about long steps go. Default: standard error.
func WithProgress(w io.Writer) Option {
	return func(o *options) { o.progress = w }
}
