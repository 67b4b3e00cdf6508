package revisions

import (
	"maps"
	"slices"

	"github.com/aymanbagabas/go-udiff"

	"github.com/anteroom/anteroom/policy/author"
)

// What became of a file between two contents.
const (
	FileAdded   = "added"
	FileRemoved = "removed"
	FileChanged = "changed"
	FileSame    = "same"
)

// FileDiff is one file of two contents.
type FileDiff struct {
	Path string
	// Status is one of the constants above.
	Status string
	// Unified is the change in unified format, with three lines around it; "" of what is the same.
	Unified string
}

// Diff compares two contents, file by file in order of path.
func Diff(from, to author.Content) []FileDiff {
	paths := maps.Clone(from.Files)
	if paths == nil {
		paths = map[string]string{}
	}
	maps.Copy(paths, to.Files)
	out := make([]FileDiff, 0, len(paths))
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, had := from.Files[path]
		after, has := to.Files[path]
		d := FileDiff{Path: path, Status: FileChanged}
		old, now := "a/"+path, "b/"+path
		switch {
		case !had:
			d.Status, old = FileAdded, "/dev/null"
		case !has:
			d.Status, now = FileRemoved, "/dev/null"
		case before == after:
			d.Status = FileSame
		}
		if d.Status != FileSame {
			d.Unified = udiff.Unified(old, now, before, after)
		}
		out = append(out, d)
	}
	return out
}
