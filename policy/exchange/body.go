package exchange

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

// text is the body as it was before it was compressed, with an end.
func text(w http.ResponseWriter, r *http.Request, most, mostText int64) (io.Reader, error) {
	body := http.MaxBytesReader(w, r.Body, most)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "":
		return body, nil
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, badBody(errors.Join(errors.New("the body is not gzip as its Content-Encoding says"), err))
		}
		return http.MaxBytesReader(w, plain, mostText), nil
	}
	return nil, &refusal{http.StatusUnsupportedMediaType, "invalid_parameter", "The Content-Encoding must be gzip or none."}
}

// badBody says what is wrong with a body that can't be read. Of what was sent it repeats nothing.
func badBody(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &refusal{http.StatusRequestEntityTooLarge, "too_large", "The body is larger than what is taken here, as it is sent or as it is read."}
	case errors.Is(err, errEntry):
		return &refusal{http.StatusRequestEntityTooLarge, "too_large", errEntry.Error() + "."}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, "too_slow", "The body did not come in time."}
	}
	sentence, _, _ := strings.Cut(err.Error(), "\n") // What joined errors begin with is ours.
	return &refusal{http.StatusBadRequest, "invalid_parameter", sentence + "."}
}

// entries reads a list of which no entry is longer than it may be: a decoder keeps all of one in memory.
type entries struct {
	from io.Reader
	// read are bytes so far, most those that may be read before the entry is at its end.
	read, most int64
}

// errEntry: one entry is longer than any decision is.
var errEntry = errors.New("the log has an entry of more than 256 KiB")

// maxEntry is how long an entry may be, bytes. Our inputs have 1 KiB.
const maxEntry = 256 << 10

func (e *entries) Read(p []byte) (int, error) {
	if e.read >= e.most {
		return 0, errEntry
	}
	n, err := e.from.Read(p[:min(int64(len(p)), e.most-e.read)])
	e.read += int64(n)
	return n, err //nolint:wrapcheck // it is read on
}

// next begins an entry at a place of what the decoder has taken in.
func (e *entries) next(at int64) { e.most = at + maxEntry }
