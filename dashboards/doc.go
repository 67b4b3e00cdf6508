// Package dashboards owns the Grafana dashboards: JSON in Grafana's own form, as files that Grafana is provisioned with (docker-compose.yml).
//
// What they ask of ClickHouse they ask of the views that begin with analytics_ and of nothing else, as a user who may read nothing else; rules D2 and D3
// are in these views. What they ask of Prometheus is about the service, not about calls. The package's tests run every query of every panel on a real
// ClickHouse, as that user.
package dashboards

import (
	"embed"
	"io/fs"
)

//go:embed grafana/*.json
var files embed.FS

// Files are the dashboards, one JSON file each.
func Files() fs.FS {
	sub, err := fs.Sub(files, "grafana")
	if err != nil { // the name is valid and the folder embedded
		panic(err)
	}
	return sub
}
