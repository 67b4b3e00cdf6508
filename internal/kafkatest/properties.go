package kafkatest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// ports are the loopback ports of one node. secure is 0 without SASL.
type ports struct {
	plain, controller, secure int
}

// serverProperties writes the configuration of a single combined broker and controller. Replication factors are one,
// because there is one node; group rebalances don't wait, because tests do.
func (c *Cluster) serverProperties() string {
	listeners := fmt.Sprintf("PLAIN://127.0.0.1:%d", c.ports.plain)
	protocols := "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT"
	p := map[string]string{}
	if c.secure() {
		listeners += fmt.Sprintf(",SECURE://127.0.0.1:%d", c.ports.secure)
		protocols += ",SECURE:SASL_SSL"
		maps.Copy(p, c.secureProperties())
	}
	maps.Copy(p, map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         fmt.Sprintf("1@127.0.0.1:%d", c.ports.controller),
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        fmt.Sprintf("%s,CONTROLLER://127.0.0.1:%d", listeners, c.ports.controller),
		"advertised.listeners":                             listeners,
		"listener.security.protocol.map":                   protocols,
		"inter.broker.listener.name":                       "PLAIN",
		"log.dirs":                                         filepath.Join(c.dir, "data"),
		"num.partitions":                                   "1",
		"auto.create.topics.enable":                        "false",
		"offsets.topic.num.partitions":                     "1",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.num.partitions":             "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		// A killed broker may register again only when its old session is over: the default of 9 s is a long test.
		"broker.session.timeout.ms":        "3000",
		"broker.heartbeat.interval.ms":     "300",
		"group.initial.rebalance.delay.ms": "0",
	})
	maps.Copy(p, c.opts.properties)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(p[k], `\`, `\\`))
	}
	return b.String()
}

func (c *Cluster) secureProperties() map[string]string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace
	return map[string]string{
		"listener.name.secure.ssl.keystore.type":       "PEM",
		"listener.name.secure.ssl.keystore.location":   filepath.Join(c.dir, keystoreFile),
		"listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
		"listener.name.secure.plain.sasl.jaas.config": fmt.Sprintf(
			`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`,
			c.opts.username, quote(c.opts.password)),
	}
}
