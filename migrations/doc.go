// Package migrations owns the schema: numbered SQL, embedded, forward-only, one statement each, harmless when repeated.
//
// The files are templates, since a table lies differently on one node and on a cluster (Layout). Render fills them in; the
// results for each layout are golden files under testdata. Run applies to one node what that node lacks.
//
// There is no ON CLUSTER, which would take a queue in Keeper and waits for nodes that are away: whoever migrates a cluster runs
// the same migrations on each node (store.Migrate). There is no lock either, since ClickHouse has none: run migrations from one
// job. Two at once do no harm, because each statement may be repeated and the version table takes a version twice.
package migrations
