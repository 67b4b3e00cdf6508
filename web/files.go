package web

import (
	"embed"
	"io/fs"
)

// The folder always has placeholder.txt, so that `go build` works in a clean clone, without Node.
//
//go:embed all:dist
var embedded embed.FS

// Files are the built pages: home.html, join.html, console.html, and assets with a hash of their content in the name.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "dist")
	if err != nil {
		// "dist" is a valid path, so this can't be.
		panic(err)
	}
	return files
}

// Built tells whether the pages are in this binary.
func Built() bool {
	_, err := fs.Stat(Files(), joinPage)
	return err == nil
}

const (
	homePage    = "home.html"
	joinPage    = "join.html"
	consolePage = "console.html"
)
