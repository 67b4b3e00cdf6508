import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, ask, body, client, queryOf } from "./client";
import type { Filters } from "./filters";
import { type Freshness, noteFreshness } from "./freshness";
import { ZONE } from "./times";

export type Verdict = Schemas["Verdict"];
export type Reason = Schemas["Reason"];
export type Participant = Schemas["Participant"];
export type Stream = Schemas["Stream"];
export type Sample = Schemas["Sample"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type Notice = Schemas["ShownNotice"];
export type Recording = Schemas["Recording"];

export type Call = Schemas["Call"];
export type Issue = Schemas["Issue"];
export type Presence = Schemas["Presence"];
export type Totals = Schemas["Figures"];
export type Group = Schemas["FigureGroup"];
export type Heatmap = Schemas["Heatmap"];
export type Series = Schemas["ZoomStream"];
export type Point = Schemas["ZoomPoint"];
export type QuantilePoint = Schemas["QuantilePoint"];
export type View = Schemas["View"];
export type Metric = "jitter_ms" | "loss_ratio" | "rtt_ms" | "bitrate_bps";

type CallPage = Schemas["CallList"];

export const callPage = (filters: Filters, sort: string, page: string | undefined, size = 50): Promise<CallPage> =>
  ask<CallPage>(`/v1/calls${queryOf({ ...filters, sort: sort || undefined, page_token: page, page_size: size })}`).then(noteFreshness);

export const callsQuery = (filters: Filters, sort: string) =>
  infiniteQueryOptions({
    queryKey: ["calls", filters, sort],
    queryFn: ({ pageParam }) => callPage(filters, sort, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: CallPage) => page.next_page_token ?? undefined,
    placeholderData: (before) => before,
  });

const path = (id: string) => ({ params: { path: { call_id: id } } });

export const callQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id], queryFn: () => body(client.GET("/v1/calls/{call_id}", path(id))) });
export const participantsQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "participants"], queryFn: async () => (await body(client.GET("/v1/calls/{call_id}/participants", path(id)))).participants });
export const streamsQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "streams"], queryFn: async () => (await body(client.GET("/v1/calls/{call_id}/streams", path(id)))).streams });
export const issuesQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "issues"], queryFn: async () => (await body(client.GET("/v1/calls/{call_id}/issues", path(id)))).issues });
export const noticesQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "notices"], queryFn: async () => ((await body(client.GET("/v1/calls/{call_id}/notices", path(id)))) as { notices: Notice[] }).notices });
export const recordingsQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "recordings"], retry: false, queryFn: async () => (await body(client.GET("/v1/calls/{call_id}/recordings", path(id)))).recordings });

/** At most so many entries of a timeline are drawn. */
const MAX_TIMELINE = 20_000;

/** All that happened in a call, the oldest first. */
export const timelineQuery = (id: string) =>
  queryOptions({
    queryKey: ["call", id, "timeline"],
    queryFn: async () => {
      const entries: TimelineEntry[] = [];
      let page: string | undefined;
      do {
        const query = { page_size: 5000, ...(page !== undefined && { page_token: page }) };
        const found = await body(client.GET("/v1/calls/{call_id}/timeline", { params: { path: { call_id: id }, query } }));
        entries.push(...found.timeline);
        page = found.next_page_token ?? undefined;
      } while (page !== undefined && entries.length < MAX_TIMELINE);
      return { entries, cut: page !== undefined };
    },
  });

/** Who was there when, and in what state. */
export const presenceQuery = (id: string) =>
  queryOptions({ queryKey: ["call", id, "presence"], queryFn: async () => (await body(client.GET("/v1/calls/{call_id}/presence", path(id)))).participants });

/** How many points a chart has room for. */
const POINTS = 240;

/** Figures of all streams of a call, at the resolution of what is looked at. */
export const samplesQuery = (id: string, from: number, to: number) =>
  queryOptions({
    queryKey: ["call", id, "samples", from, to],
    queryFn: ({ signal }) =>
      body(client.GET("/v1/calls/{call_id}/samples", { params: { path: { call_id: id }, query: { from: new Date(from).toISOString(), to: new Date(to).toISOString(), points: POINTS } }, signal })),
    placeholderData: (before) => before,
    staleTime: 60_000,
  });

export const qualityQuery = (filters: Filters, groupBy: string | undefined, more: Record<string, string | undefined> = {}) =>
  queryOptions({
    queryKey: ["quality", filters, groupBy, more],
    queryFn: ({ signal }) => ask<Schemas["QualityFigures"]>(`/v1/analytics/quality${queryOf({ time_zone: ZONE, ...filters, group_by: groupBy, ...more })}`, { signal }).then(noteFreshness),
    placeholderData: (before) => before,
  });

export const heatmapQuery = (filters: Filters, x: string, y: string) =>
  queryOptions({
    queryKey: ["heatmap", filters, x, y],
    queryFn: ({ signal }) => ask<Heatmap>(`/v1/analytics/heatmap${queryOf({ time_zone: ZONE, ...filters, x, y })}`, { signal }).then(noteFreshness),
    placeholderData: (before) => before,
  });

/** Two periods or two calls beside each other; the difference is b less a. */
export interface Comparison {
  a: Totals;
  b: Totals;
  difference: Record<string, number>;
  freshness: Freshness;
}
export const compareQuery = (parameters: Record<string, string | undefined>, enabled: boolean) =>
  queryOptions({
    queryKey: ["compare", parameters],
    enabled,
    queryFn: ({ signal }) => ask<Comparison>(`/v1/analytics/compare${queryOf(parameters)}`, { signal }).then(noteFreshness),
  });

/** Of the filters, those that samples have. */
export const quantilesQuery = ({ from, to, last, region, source }: Filters, metric: string, step: string) =>
  queryOptions({
    queryKey: ["quantiles", from, to, last, region, source, metric, step],
    queryFn: ({ signal }) =>
      ask<{ points: QuantilePoint[]; freshness: Freshness }>(`/v1/analytics/quantiles${queryOf({ from, to, last, region, source, metric, step, time_zone: ZONE })}`, { signal }).then(noteFreshness),
    placeholderData: (before) => before,
  });

export const viewsQuery = queryOptions({ queryKey: ["views"], retry: false, staleTime: 300_000, queryFn: async () => (await body(client.GET("/v1/views"))).views });
export const saveView = (input: Schemas["ViewInput"]): Promise<View> => body(client.POST("/v1/views", { body: input }));
export const deleteView = (id: string): Promise<unknown> => body(client.DELETE("/v1/views/{id}", { params: { path: { id } } }));
export const putTags = (id: string, tags: string[]): Promise<unknown> => body(client.PUT("/v1/calls/{call_id}/tags", { ...path(id), body: { tags } }));
