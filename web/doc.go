// Package web will own what runs in a browser: the client library, the join page and the console (TypeScript), built and embedded
// into the binary as a file system.
//
// Nothing is here yet: the API is all there is to look at.
package web
