// Package api answers over HTTP: the document openapi.yaml and its handlers.
//
// It owns the shape of every answer and of every error, and judges calls with package quality when they are asked for. Who asks is proven by
// identity; what they may ask for stands in one table, access.go, by operation, role and organisation, and one middleware holds every
// request against it: what has no row is refused. It refuses to listen anywhere but on a loopback address unless it is told that identity
// can be relied on, and it refuses what a browser asks for on behalf of another site.
//
// The directory's values (organisations, users, resources, meetings) go in and out as their own JSON, described by the document: bodies are
// held against it first, then by the directory's validation. What running meetings know is asked through Meetings.
//
// Who is who: a participant that nothing proves to be an org user is Anonymous (rule D2). While a call runs, of Anteroom's own media or of
// clients whose statistics are collected, guests are left out of every answer about it: rows, counts and verdicts (rule D3). Azure's records reach the
// store after the fact and are shown whole.
//
// What is asked for is never logged: query strings, paths and addresses can carry personal data. The log has the route's pattern.
package api

//go:generate go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
