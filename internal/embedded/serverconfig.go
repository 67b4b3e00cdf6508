package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// engineFiles are the generated files of one start. They hold the hash of the
// password, the passwords of cluster nodes and the start's nonce: mode 0600.
type engineFiles struct {
	config string
	users  string
}

type configData struct {
	ClickHouseConfig
	Data, Log, Users, Nonce, Hash, UserName string
	// Library tells libchdb from `clickhouse server`.
	Library bool
}

func writeEngineFiles(data configData) (engineFiles, error) {
	files := engineFiles{
		config: filepath.Join(data.Dir, "config.xml"),
		users:  filepath.Join(data.Dir, "users.xml"),
	}
	data.Hash = hashOf(data.Password)
	data.Users = files.users
	data.UserName = clickHouseUser
	for path, text := range map[string]string{files.config: configTemplate, files.users: usersTemplate} {
		tmpl, err := template.New("").Funcs(template.FuncMap{"x": escapeXML, "hash": hashOf}).Parse(text)
		if err != nil {
			return files, fmt.Errorf("parse template of %s: %w", filepath.Base(path), err)
		}
		var out strings.Builder
		if err := tmpl.Execute(&out, data); err != nil {
			return files, fmt.Errorf("fill in %s: %w", filepath.Base(path), err)
		}
		if err := writeFile(path, out.String()); err != nil {
			return files, fmt.Errorf("write %s: %w", filepath.Base(path), err)
		}
	}
	return files, os.MkdirAll(data.Log, 0o700)
}

func hashOf(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

func escapeXML(value any) (string, error) {
	var out strings.Builder
	err := xml.EscapeText(&out, []byte(fmt.Sprint(value)))
	return out.String(), err
}

// usersTemplate: the library's own session logs in as default without asking,
// so default has to exist, passwordless, and to be let in from loopback. Three
// locks, since rights alone don't do: the scalar function file('path') asks for
// none and reads whatever this user account can.
//
//  1. One session only, and the library's own holds it as long as it runs.
//  2. A syntax tree of two nodes, which holds the start statement and no SELECT.
//     The other profile names the same settings, at the engine's defaults, so
//     that changing to it breaks the constraints of the powerless one.
//  3. No right but SYSTEM LISTEN, which the start statement takes.
const usersTemplate = `<clickhouse>
  <profiles>
    <default>
      <log_queries>1</log_queries>
      <max_ast_depth>1000</max_ast_depth>
      <max_ast_elements>50000</max_ast_elements>
    </default>
    <powerless>
      <log_queries>0</log_queries>
      <max_sessions_for_user>1</max_sessions_for_user>
      <max_ast_depth>2</max_ast_depth>
      <max_ast_elements>2</max_ast_elements>
      <max_memory_usage>100000000</max_memory_usage>
      <constraints>
        <max_ast_depth><const/></max_ast_depth>
        <max_ast_elements><const/></max_ast_elements>
        <max_memory_usage><const/></max_memory_usage>
      </constraints>
    </powerless>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>powerless</profile>
      <quota>default</quota>
      <grants>
        {{- if .Library}}
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        {{- else}}
        <query>REVOKE ALL ON *.*</query>
        {{- end}}
      </grants>
    </default>
    <{{.UserName}}>
      <password_sha256_hex>{{x .Hash}}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
      <named_collection_control>1</named_collection_control>
    </{{.UserName}}>
    {{- range .Readers}}
    <{{x .Name}}>
      <password_sha256_hex>{{hash .Password}}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT SELECT ON {{x .Database}}.*</query></grants>
    </{{x .Name}}>
    {{- end}}
  </users>
</clickhouse>
`

// configTemplate: the three silenced loggers write the text of failed queries,
// literals and all; whoever sent the query gets the error anyway. The pools are small, and with them the numbers of free pool
// entries below which merges and mutations hold back must be small too: the
// engine refuses to start if they exceed pool size times ratio (2). A mutation goes
// over all parts of a table, a few at a time, and by default waits for half a second
// in between: with sixty parts ten seconds instead of less than one.
const configTemplate = `<clickhouse>
  <logger>
    <level>warning</level>
    <log>{{x .Log}}/clickhouse.log</log>
    <errorlog>{{x .Log}}/clickhouse.err.log</errorlog>
    <size>10M</size>
    <count>3</count>
    <console>0</console>
    <levels>
      <logger><name>executeQuery</name><level>none</level></logger>
      <logger><name>TCPHandler</name><level>none</level></logger>
      <logger><name>DynamicQueryHandler</name><level>none</level></logger>
    </levels>
  </logger>
  <listen_host>127.0.0.1</listen_host>
  <tcp_port>{{.NativePort}}</tcp_port>
  <http_port>{{.HTTPPort}}</http_port>
  {{- if not .Library}}
  <path>{{x .Data}}/</path>
  <tmp_path>{{x .Data}}/tmp/</tmp_path>
  <user_files_path>{{x .Data}}/user_files/</user_files_path>
  <format_schema_path>{{x .Data}}/format_schemas/</format_schema_path>
  {{- end}}
  <users_config>{{x .Users}}</users_config>
  <user_directories replace="replace">
    <users_xml><path>{{x .Users}}</path></users_xml>
    {{- if not .Library}}
    <local_directory><path>{{x .Data}}/access/</path></local_directory>
    {{- end}}
  </user_directories>
  <access_control_improvements>
    <select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>
    <select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>
    <users_without_row_policies_can_read_rows>true</users_without_row_policies_can_read_rows>
    <table_engines_require_grant>true</table_engines_require_grant>
    <on_cluster_queries_require_cluster_grant>true</on_cluster_queries_require_cluster_grant>
  </access_control_improvements>
  <backups>
    <allowed_path>{{x .Backups}}/</allowed_path>
  </backups>
  <http_server_default_response>{{x .Nonce}}</http_server_default_response>
  <keep_alive_timeout>3</keep_alive_timeout>
  <max_server_memory_usage_to_ram_ratio>{{.MemoryRatio}}</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>134217728</mark_cache_size>
  <max_concurrent_queries>100</max_concurrent_queries>
  <background_pool_size>{{.Pool}}</background_pool_size>
  <background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
  <background_move_pool_size>1</background_move_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_common_pool_size>{{.Pool}}</background_common_pool_size>
  <background_processing_pool_thread_sleep_seconds_if_nothing_to_do>0.02</background_processing_pool_thread_sleep_seconds_if_nothing_to_do>
  <background_processing_pool_task_sleep_seconds_when_no_work_random_part>0.01</background_processing_pool_task_sleep_seconds_when_no_work_random_part>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <tables_loader_foreground_pool_size>2</tables_loader_foreground_pool_size>
  <tables_loader_background_pool_size>2</tables_loader_background_pool_size>
  <merge_tree>
    <number_of_free_entries_in_pool_to_execute_mutation>{{.Pool}}</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>{{.Pool}}</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>{{.Pool}}</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    {{- if not .Unsynced}}
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    {{- end}}
  </merge_tree>
  <part_log>
    <database>system</database>
    <table>part_log</table>
    <partition_by>toYYYYMMDD(event_date)</partition_by>
    <ttl>event_date + INTERVAL {{.LogDays}} DAY DELETE</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </part_log>
  <query_log>
    <database>system</database>
    <table>query_log</table>
    <partition_by>toYYYYMMDD(event_date)</partition_by>
    <ttl>event_date + INTERVAL {{.LogDays}} DAY DELETE</ttl>
    <flush_interval_milliseconds>7500</flush_interval_milliseconds>
  </query_log>
  {{- with .Cluster}}
  <remote_servers replace="replace">
    <{{.Name}}>
      {{- range .Shards}}
      <shard>
        <internal_replication>true</internal_replication>
        {{- range .}}
        <replica>
          <host>{{x .Host}}</host>
          <port>{{.Port}}</port>
          <user>{{x .User}}</user>
          <password>{{x .Password}}</password>
        </replica>
        {{- end}}
      </shard>
      {{- end}}
    </{{.Name}}>
  </remote_servers>
  <macros>
    {{- range $name, $value := .Macros}}
    <{{$name}}>{{x $value}}</{{$name}}>
    {{- end}}
  </macros>
  {{- end}}
</clickhouse>
`
