package kafkatest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ports are the loopback ports of one node. secure is 0 without SASL.
type ports struct {
	plain, controller, secure int
}

// serverProperties writes the configuration of a combined broker and controller. One node alone replicates nothing; of several, Kafka's own topics are on
// three at most, two of which acknowledge. Group rebalances don't wait, because tests do.
func (c *Cluster) serverProperties(m *member) string {
	copies, acknowledging := min(len(c.members), 3), min(len(c.members), 2)
	var voters []string
	for _, v := range c.members {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", v.id, v.ports.controller))
	}
	listeners := fmt.Sprintf("PLAIN://127.0.0.1:%d", m.ports.plain)
	protocols := "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT"
	p := map[string]string{}
	if c.secure() {
		listeners += fmt.Sprintf(",SECURE://127.0.0.1:%d", m.ports.secure)
		protocols += ",SECURE:SASL_SSL"
		maps.Copy(p, c.secureProperties())
	}
	maps.Copy(p, map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          strconv.Itoa(m.id),
		"controller.quorum.voters":                         strings.Join(voters, ","),
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        fmt.Sprintf("%s,CONTROLLER://127.0.0.1:%d", listeners, m.ports.controller),
		"advertised.listeners":                             listeners,
		"listener.security.protocol.map":                   protocols,
		"inter.broker.listener.name":                       "PLAIN",
		"log.dirs":                                         filepath.Join(m.dir, "data"),
		"num.partitions":                                   "1",
		"auto.create.topics.enable":                        "false",
		"offsets.topic.num.partitions":                     "1",
		"offsets.topic.replication.factor":                 strconv.Itoa(copies),
		"transaction.state.log.num.partitions":             "1",
		"transaction.state.log.replication.factor":         strconv.Itoa(copies),
		"transaction.state.log.min.isr":                    strconv.Itoa(acknowledging),
		"share.coordinator.state.topic.num.partitions":     "1",
		"share.coordinator.state.topic.replication.factor": strconv.Itoa(copies),
		"share.coordinator.state.topic.min.isr":            strconv.Itoa(acknowledging),
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
