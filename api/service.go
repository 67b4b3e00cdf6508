package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/anteroom/anteroom/api/openapi"
)

// GetHealth answers as long as the process does.
func (*handlers) GetHealth(context.Context, openapi.GetHealthRequestObject) (openapi.GetHealthResponseObject, error) {
	return openapi.GetHealth200JSONResponse{Status: openapi.Ok}, nil
}

// GetReadiness makes the checks.
func (h *handlers) GetReadiness(ctx context.Context, _ openapi.GetReadinessRequestObject) (openapi.GetReadinessResponseObject, error) {
	var checks []Check
	if h.ready != nil {
		checks = h.ready(ctx)
	}
	out := openapi.Readiness{Ready: true, Checks: make([]openapi.ReadinessCheck, len(checks))}
	for i, c := range checks {
		out.Ready = out.Ready && (c.OK || c.Side)
		out.Checks[i].Name, out.Checks[i].Ok = c.Name, c.OK
		if !c.OK {
			out.Checks[i].Reason = c.Reason
		}
	}
	if !out.Ready {
		return openapi.GetReadiness503JSONResponse(out), nil
	}
	return openapi.GetReadiness200JSONResponse(out), nil
}

// GetVersion tells the version.
func (h *handlers) GetVersion(context.Context, openapi.GetVersionRequestObject) (openapi.GetVersionResponseObject, error) {
	return openapi.GetVersion200JSONResponse{Version: h.version}, nil
}

// GetMetrics writes the registry's metrics as text.
func (h *handlers) GetMetrics(ctx context.Context, _ openapi.GetMetricsRequestObject) (openapi.GetMetricsResponseObject, error) {
	return exposition{ctx, promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{DisableCompression: true})}, nil
}

// exposition is the answer that the metrics library writes by itself.
type exposition struct {
	ctx     context.Context //nolint:containedctx // the generated interface hands over none
	handler http.Handler
}

func (e exposition) VisitGetMetricsResponse(w http.ResponseWriter) error {
	request, err := http.NewRequestWithContext(e.ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	e.handler.ServeHTTP(w, request)
	return nil
}

// GetDocument shows the document.
func (h *handlers) GetDocument(context.Context, openapi.GetDocumentRequestObject) (openapi.GetDocumentResponseObject, error) {
	return openapi.GetDocument200JSONResponse(h.document), nil
}

// plain makes plain values of the document.
func plain(doc *openapi3.T) (map[string]any, error) {
	text, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("marshal: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("unmarshal: %w", err)
	}
	return out, nil
}
