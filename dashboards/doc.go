// Package dashboards will own Grafana dashboards as code, their JSON, their provisioning, and the test that runs every query in them.
//
// Nothing is here yet; docker-compose.yml already mounts this folder into Grafana.
package dashboards
