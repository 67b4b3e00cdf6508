package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing/fstest"
	"text/template"
)

//go:embed sql/*.sql
var files embed.FS

// dedupWindow is how many inserts a table remembers the tokens of. A replay after a crash repeats the last insert of each
// topic partition, and writers of control rows race within moments, so 10,000 is plenty; more costs memory and start-up.
const dedupWindow = 10_000

// dedupSeconds is how long a Replicated table remembers them at most: a week, so that a region that was down over a weekend
// replays safely. Plain tables know no such limit.
const dedupSeconds = 7 * 24 * 3600

// shortLived are the settings of tables whose rows must leave the disk soon after they are deleted: a part that a merge or a mutation has replaced
// goes after a second, not after eight minutes, and is looked for every second. So the new one has to be on the disk before: it is synced.
const shortLived = "old_parts_lifetime = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 2, cleanup_delay_period_random_add = 0, " +
	"min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1"

// Layout says where tables lie. The zero value is one node.
//
// Sharded tables (calls, participants, streams, samples, timeline, roll-ups): on one node the table itself. On a cluster
// <name>_local on every shard and a Distributed table <name> over them, sharded by call: what belongs to one call is counted,
// resolved and deleted on one shard, and a batch inserted again with its token is cut the same way again.
//
// Whole tables (control, source_marks, ingest_batches, dead_letters, rollup_hours) are small, and their rows must be decided on
// in one place. With Replicated they are one table with a replica on every node of every shard, hence a Keeper path without
// {shard} and a replica name with it. Without Replicated only shard 1 holds them: <name>_local there behind a Distributed
// table with the constant sharding key 0, and empty <name>_local on the other shards, since all nodes get the same statements.
// That makes shard 1 a single point of failure, which such a cluster has anyway in each of its shards.
type Layout struct {
	// Cluster is the cluster's name in remote_servers; "" for one node.
	Cluster string
	// Replicated makes Replicated tables. Means nothing without Cluster.
	Replicated bool
	// ResourceLog is the database of the region's resource log. Default "resource_log".
	ResourceLog string
}

// resourceLog is the database of the resource log.
func (l Layout) resourceLog() string {
	if l.ResourceLog == "" {
		return "resource_log"
	}
	return l.ResourceLog
}

// ResourceLog are the statements that make the database of the resource log and its tables. Each may be repeated: the database is beside the region's own,
// which may be restored, or made anew, without it.
func ResourceLog(layout Layout) ([]string, error) {
	return statements(layout, func(file string) bool { return strings.Contains(file, "_resource_log") })
}

// Render returns the migrations of a layout as goose files. Files that a layout has no use for are left out.
func Render(layout Layout) (fs.FS, error) {
	entries, err := fs.ReadDir(files, "sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	out := fstest.MapFS{}
	for _, entry := range entries {
		text, err := fs.ReadFile(files, "sql/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		statement, err := layout.render(entry.Name(), string(text))
		if err != nil {
			return nil, err
		}
		if statement != "" {
			out[entry.Name()] = &fstest.MapFile{Data: []byte(statement), Mode: 0o444}
		}
	}
	return out, nil
}

// Newest is the version of the last migration.
func Newest() (int64, error) {
	entries, err := fs.ReadDir(files, "sql")
	if err != nil || len(entries) == 0 {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	var version int64
	if _, err := fmt.Sscanf(entries[len(entries)-1].Name(), "%d_", &version); err != nil {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	return version, nil
}

// Statement is the one that makes a table, as a layout has it; "" if the layout has no such table.
func Statement(layout Layout, table string) (string, error) {
	made, err := statements(layout, func(file string) bool { return file[strings.Index(file, "_")+1:] == table+".sql" })
	if err != nil || len(made) == 0 {
		return "", err
	}
	return made[0], nil
}

// Tables are the names of the tables that a layout has rows in on each node.
func Tables(layout Layout) ([]string, error) {
	made, err := statements(layout, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	var out []string
	for _, statement := range made {
		if found := tableWithRows.FindStringSubmatch(statement); found != nil {
			out = append(out, found[1])
		}
	}
	return out, nil
}

// Distributed are the statements that make a layout's Distributed tables, by the tables' names. Each may be repeated.
func Distributed(layout Layout) (map[string]string, error) {
	made, err := statements(layout, func(file string) bool { return strings.HasSuffix(file, "_distributed.sql") })
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, statement := range made {
		if found := distributedTable.FindStringSubmatch(statement); found != nil {
			out[found[1]] = statement
		}
	}
	return out, nil
}

// Views are the statements that make a layout's views, by the views' names, for the database of the connection. Each may be repeated.
func Views(layout Layout) (map[string]string, error) {
	made, err := statements(layout, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, statement := range made {
		if found := viewName.FindStringSubmatch(statement); found != nil {
			out[found[1]] = statement
		}
	}
	return out, nil
}

var viewName = regexp.MustCompile(`^CREATE VIEW IF NOT EXISTS (\w+)\s`)

var tableWithRows = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+) \(`)

var distributedTable = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+) AS `)

// statements are those of some files of a layout, in order, without goose's comments.
func statements(layout Layout, which func(file string) bool) ([]string, error) {
	fsys, err := Render(layout)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var out []string
	for _, name := range names { // Glob sorts them
		if !which(name) {
			continue
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(strings.TrimSpace(line), "--") {
				lines = append(lines, line)
			}
		}
		out = append(out, strings.TrimSuffix(strings.TrimSpace(strings.Join(lines, "")), ";"))
	}
	return out, nil
}

// render fills in one file; "" if nothing but comments is left.
func (l Layout) render(name, text string) (string, error) {
	t := table{layout: l}
	tmpl, err := template.New(name).Funcs(template.FuncMap{
		"local":       t.local,
		"whole":       t.whole,
		"engine":      t.engine,
		"dedup":       t.dedup,
		"shortLived":  func() string { return shortLived },
		"distributed": t.distributed,
		"resourceLog": l.resourceLog,
		"inLog":       func(name string) string { return l.resourceLog() + "." + t.local(name) },
		"distributedLog": func(name, shardingKey string) string {
			return strings.NewReplacer("EXISTS "+name+" ", "EXISTS "+l.resourceLog()+"."+name+" ", "AS "+name, "AS "+l.resourceLog()+"."+name,
				"currentDatabase()", "'"+l.resourceLog()+"'").Replace(t.distributed(name, shardingKey))
		},
		"sharded": func() bool { return l.Cluster != "" },
	}).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("parse migration: %w", err)
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, nil); err != nil {
		return "", fmt.Errorf("render migration: %w", err)
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if line != "" && line != ";" && !strings.HasPrefix(line, "--") {
			return out.String(), nil
		}
	}
	return "", nil
}

// table is the one that a file speaks of, as far as its template has told.
type table struct {
	layout  Layout
	name    string
	isWhole bool
}

// local names a sharded table where its rows are.
func (t *table) local(name string) string {
	t.name = name
	if t.layout.Cluster == "" {
		return name
	}
	return name + "_local"
}

// whole names a table that is not sharded where its rows are.
func (t *table) whole(name string) string {
	t.name, t.isWhole = name, true
	if t.layout.Cluster == "" || t.layout.Replicated {
		return name
	}
	return name + "_local"
}

// engine gives the engine of the table named before, with the arguments of its kind.
func (t *table) engine(kind string, args ...string) (string, error) {
	if t.name == "" {
		return "", fmt.Errorf("engine %s stands before the table's name", kind)
	}
	if t.layout.Cluster == "" || !t.layout.Replicated {
		return kind + "(" + strings.Join(args, ", ") + ")", nil
	}
	path, replica := "'/clickhouse/tables/{shard}/{database}/"+t.name+"'", "'{replica}'"
	if t.isWhole {
		path, replica = "'/clickhouse/tables/{database}/"+t.name+"'", "'{shard}-{replica}'"
	}
	return "Replicated" + kind + "(" + strings.Join(append([]string{path, replica}, args...), ", ") + ")", nil
}

// dedup gives the settings by which the table remembers the tokens of inserts.
func (t *table) dedup() string {
	if t.layout.Cluster == "" || !t.layout.Replicated {
		return fmt.Sprintf("non_replicated_deduplication_window = %d", dedupWindow)
	}
	return fmt.Sprintf("replicated_deduplication_window = %d, replicated_deduplication_window_seconds = %d", dedupWindow, dedupSeconds)
}

// distributed gives the statement for the Distributed table over <name>_local, or nothing where there is no such table. A
// constant key keeps all rows on the first shard, which is for whole tables.
func (t *table) distributed(name, shardingKey string) string {
	if t.layout.Cluster == "" || t.layout.Replicated && shardingKey == "0" {
		return ""
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %[1]s AS %[1]s_local\nENGINE = Distributed('%[2]s', currentDatabase(), '%[1]s_local', %[3]s)",
		name, t.layout.Cluster, shardingKey)
}
