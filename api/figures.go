package api

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/api/openapi"
	"github.com/anteroom/anteroom/store"
)

const (
	// maxGroups is how many groups an answer has.
	maxGroups = 5000
	// maxRows is how many sites, clients and so on a heat map has.
	maxRows = 100
)

// GetQuality adds up how good calls were.
func (h *handlers) GetQuality(ctx context.Context, request openapi.GetQualityRequestObject) (openapi.GetQualityResponseObject, error) {
	q := values(ctx)
	f, zone, err := h.figuresFilter(ctx, 7*day)
	if err != nil {
		return nil, err
	}
	var groups []store.Group
	if by := q.Get("group_by"); by != "" {
		for name := range strings.SplitSeq(by, ",") {
			if groups = append(groups, store.Group(name)); len(groups) == 2 && groups[0] == groups[1] {
				return nil, invalidParameter("group_by", "The parameter group_by names "+name+" twice.")
			}
		}
	}
	out := openapi.GetQuality200JSONResponse{Window: openapi.Window{From: f.From, To: f.To}, Freshness: h.freshness(ctx)}
	if out.Totals, out.Groups, out.LeftOut, err = h.figures(ctx, f, groups, zone); err != nil {
		return nil, err
	}
	if value(request.Params.Compare) == "" {
		return out, nil
	}
	before := f
	before.From, before.To = f.From.Add(-f.To.Sub(f.From)), f.From
	totals, grouped, leftOut, err := h.figures(ctx, before, groups, zone)
	if err != nil {
		return nil, err
	}
	out.LeftOut = out.LeftOut || leftOut
	out.Previous = &openapi.PreviousFigures{Groups: grouped, Totals: totals, Window: openapi.Window{From: before.From, To: before.To}}
	return out, nil
}

// figuresFilter reads filter, window and time zone; back is how long the window is unless asked.
func (h *handlers) figuresFilter(ctx context.Context, back time.Duration) (store.SummaryFilter, string, error) {
	q := values(ctx)
	f, err := h.summaryFilter(ctx)
	if err != nil {
		return f, "", err
	}
	zone, err := zoneOf(q)
	if err != nil {
		return f, "", err
	}
	err = bounded(&f, q, back, maxWindow)
	return f, zone, err
}

// figures are those of a filter's calls, and of its groups if there are any.
func (h *handlers) figures(ctx context.Context, f store.SummaryFilter, groups []store.Group, zone string) (openapi.Figures, []openapi.FigureGroup, bool, error) {
	grouped := []openapi.FigureGroup{}
	rows, err := h.reader.Quality(ctx, f, nil, zone, 1)
	if err != nil {
		return openapi.Figures{}, nil, false, h.tooSlow(err, f.From, f.To)
	}
	var all store.Figures
	if len(rows) > 0 {
		all = rows[0].Figures
	}
	totals := presentFigures(&all, false)
	if len(groups) == 0 {
		return totals, grouped, false, nil
	}
	if rows, err = h.reader.Quality(ctx, f, groups, zone, maxGroups+1); err != nil {
		return openapi.Figures{}, nil, false, h.tooSlow(err, f.From, f.To)
	}
	ofStreams := slices.ContainsFunc(groups, store.Group.OfStreams)
	for i := range rows[:min(len(rows), maxGroups)] {
		figures := presentFigures(&rows[i].Figures, ofStreams)
		g := openapi.FigureGroup{
			Key: map[string]string{}, Calls: figures.Calls, CallsPoor: figures.CallsPoor, Streams: figures.Streams, Good: figures.Good, Poor: figures.Poor,
			Unknown: figures.Unknown, PoorRatio: figures.PoorRatio, Participants: figures.Participants, SetupFailures: figures.SetupFailures,
			SetupFailureRatio: figures.SetupFailureRatio, Drops: figures.Drops, DropRatio: figures.DropRatio, ShortCalls: figures.ShortCalls,
			EndedWithin5s: figures.EndedWithin5s, Rating: figures.Rating,
		}
		for k, group := range groups {
			g.Key[string(group)] = keyText(group, rows[i].Keys[k])
		}
		grouped = append(grouped, g)
	}
	return totals, grouped, len(rows) > maxGroups, nil
}

// keyText is a group's key as it is shown.
func keyText(g store.Group, key string) string {
	if g != store.ByHour && g != store.ByDay {
		return key
	}
	seconds, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return key
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

func presentFigures(f *store.Figures, ofStreams bool) openapi.Figures {
	out := openapi.Figures{
		Calls: clip(f.Calls), CallsPoor: clip(f.PoorCalls), Streams: clip(f.Good + f.Poor + f.Unknown), Good: clip(f.Good), Poor: clip(f.Poor),
		Unknown: clip(f.Unknown), PoorRatio: ratio(f.Poor, f.Good+f.Poor),
	}
	if ofStreams {
		return out
	}
	out.Participants, out.SetupFailures, out.Drops = whole(&f.Participants), whole(&f.SetupFailures), whole(&f.Drops)
	out.SetupFailureRatio, out.DropRatio = ratio(f.SetupFailures, f.Participants), ratio(f.Drops, f.Participants)
	out.ShortCalls, out.EndedWithin5s = whole(&f.Short), whole(&f.Brief)
	out.Rating = &openapi.RatedCalls{Good: clip(f.RatedGood), Average: clip(f.RatedAverage), Poor: clip(f.RatedPoor), None: clip(f.Unrated)}
	return out
}

func ratio(part, of uint64) *float64 {
	if of == 0 {
		return nil
	}
	out := float64(part) / float64(of)
	return &out
}

// GetHeatmap shows when and where streams were poor.
func (h *handlers) GetHeatmap(ctx context.Context, _ openapi.GetHeatmapRequestObject) (openapi.GetHeatmapResponseObject, error) {
	q := values(ctx)
	f, zone, err := h.figuresFilter(ctx, 30*day)
	if err != nil {
		return nil, err
	}
	x, y := store.ByHourOfDay, store.Group(q.Get("y"))
	if q.Get("x") == "weekday" {
		x = store.ByWeekday
	}
	if y == "" {
		y = store.BySite
	}
	out := openapi.GetHeatmap200JSONResponse{Window: openapi.Window{From: f.From, To: f.To}, Freshness: h.freshness(ctx)}
	rows, err := h.reader.Quality(ctx, f, []store.Group{x, y}, zone, 100_000)
	if err != nil {
		return nil, h.tooSlow(err, f.From, f.To)
	}
	var of []store.Grouped // By reason, all streams count in the ratio, and not those alone that have the reason.
	if y == store.ByReason {
		if of, err = h.reader.Quality(ctx, f, []store.Group{x}, zone, maxRows); err != nil {
			return nil, h.tooSlow(err, f.From, f.To)
		}
	}
	fillHeatmap(&out, rows, of, x)
	return out, nil
}

func fillHeatmap(out *openapi.GetHeatmap200JSONResponse, rows, of []store.Grouped, x store.Group) {
	streams := map[string]uint64{}
	for i := range rows {
		if of == nil || rows[i].Keys[1] != "" {
			streams[rows[i].Keys[1]] += rows[i].Good + rows[i].Poor + rows[i].Unknown
		}
	}
	names := slices.SortedFunc(maps.Keys(streams), func(a, b string) int {
		if streams[a] != streams[b] {
			return int(min(max(int64(streams[b])-int64(streams[a]), -1), 1)) //nolint:gosec // counts of streams
		}
		return strings.Compare(a, b)
	})
	out.LeftOut = max(0, len(names)-maxRows)
	out.Y = append([]string{}, names[:min(len(names), maxRows)]...)
	first, last := 0, 23
	if x == store.ByWeekday {
		first, last = 1, 7
	}
	for n := first; n <= last; n++ {
		out.X = append(out.X, strconv.Itoa(n))
	}
	out.Cells = []openapi.HeatmapCell{}
	all := map[string]store.Figures{}
	for i := range of {
		all[of[i].Keys[0]] = of[i].Figures
	}
	for i := range rows {
		r := &rows[i]
		if !slices.Contains(out.Y, r.Keys[1]) {
			continue
		}
		judged, total := r.Good+r.Poor, r.Good+r.Poor+r.Unknown
		if whole, ok := all[r.Keys[0]]; ok {
			judged, total = whole.Good+whole.Poor, whole.Good+whole.Poor+whole.Unknown
		}
		out.Cells = append(out.Cells, openapi.HeatmapCell{
			X: r.Keys[0], Y: r.Keys[1], Streams: clip(total), Poor: clip(r.Poor), PoorRatio: ratio(r.Poor, judged),
		})
	}
}
