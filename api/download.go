package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// writePatience is how long a client may take nothing of a download before it is given up. A download as a whole takes as long as it takes.
const writePatience = time.Minute

// download is a file as an answer, whole or in ranges.
type download struct {
	ctx               context.Context //nolint:containedctx // the generated interface hands over none
	name, contentType string
	// sum is the SHA-256 of the content, hexadecimal.
	sum     string
	content io.ReadSeekCloser
}

// VisitGetRecordingFileResponse writes what was asked for and closes the file.
func (d download) VisitGetRecordingFileResponse(w http.ResponseWriter) error { return d.write(w) }

// VisitGetExportFileResponse is the same for exports.
func (d download) VisitGetExportFileResponse(w http.ResponseWriter) error { return d.write(w) }

func (d download) write(w http.ResponseWriter) (err error) {
	defer func() { err = errors.Join(err, d.content.Close()) }()
	request := requestIn(d.ctx)
	if request == nil {
		return errors.New("write download: no request")
	}
	header := w.Header()
	header.Set(echo.HeaderContentType, d.contentType)
	header.Set(echo.HeaderContentDisposition, `attachment; filename="`+d.name+`"`)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("ETag", `"`+d.sum+`"`)
	http.ServeContent(&patient{ResponseWriter: w, control: http.NewResponseController(w)}, request, "", time.Time{}, d.content)
	return nil
}

// patient gives each write its own time, and says in the service's own words that a range is not in the file.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	// refused: the answer is a problem, and what the file's server has to say is left out.
	refused bool
}

func (p *patient) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	p.refused = true
	header := p.Header()
	header.Set(echo.HeaderContentType, "application/problem+json")
	header.Set(echo.HeaderCacheControl, "no-store") // Taken away with what was said of the file.
	header.Del(echo.HeaderContentDisposition)
	p.ResponseWriter.WriteHeader(status)
	refusal := &Error{Code: CodeRangeNotSatisfiable}
	_ = json.NewEncoder(p.ResponseWriter).Encode(refusal.problem(header.Get(echo.HeaderXRequestID))) // Whoever is gone needs no answer.
}

func (p *patient) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	if err := p.control.SetWriteDeadline(time.Now().Add(writePatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("give download its time: %w", err)
	}
	return p.ResponseWriter.Write(b) //nolint:wrapcheck // passed through
}
