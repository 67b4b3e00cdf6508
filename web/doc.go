// Package web has what runs in a browser: the client library (client, published as @anteroom/client) and the join page (join), both in
// TypeScript. scripts/web.sh builds the pages into dist, which is embedded into the binary.
//
// It serves files and nothing else: who joins is decided elsewhere. A binary that was built without the pages works, and says what is missing.
package web
