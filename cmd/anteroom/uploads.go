package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// uploads shows how far imports are.
type uploads struct{ *transfers }

func (c *cli) newUploads() *uploads { return &uploads{c.newTransfers()} }

// upload is one file on its way.
type upload struct {
	*transfer
	name string
}

func (u *uploads) begin(file string, size int64) *upload {
	name := filepath.Base(file)
	if file == "-" {
		name = "standard input"
	}
	return &upload{u.transfers.begin(name, "Importing "+name, max(size, 0), true), name}
}

// count wraps a file so that the bar follows what was read of it.
func (u *upload) count(r io.Reader) io.Reader {
	if u.tracker == nil {
		return r
	}
	return &counting{r: r, upload: u}
}

func (u *upload) end(err error) {
	if u.tracker != nil && err == nil {
		u.tracker.UpdateMessage(u.name)
	}
	u.transfer.end(err)
}

type counting struct {
	r      io.Reader
	upload *upload
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	_, _ = c.upload.Write(p[:n]) // counts, and can't fail
	if err == io.EOF {
		c.upload.tracker.UpdateMessage(fmt.Sprintf("%s: waiting for its rows", c.upload.name))
	}
	return n, err //nolint:wrapcheck // a reader hands its reader's errors on, io.EOF as it is
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
