import { queryOptions } from "@tanstack/react-query";
import { type Schemas, ask, body, client, tagged } from "./client";

export type Policy = Schemas["RetentionPolicy"];
export type PolicyInput = Schemas["RetentionPolicyInput"];
export type PolicyVersion = Schemas["RetentionPolicyVersion"];
export type Scope = Schemas["RetentionScope"];
export type Hold = Schemas["Hold"];
export type HoldInput = Schemas["HoldInput"];
export type HoldVersion = Schemas["HoldVersion"];
export type Preview = Schemas["RetentionPreview"];
export type PreviewInput = Schemas["RetentionPreviewInput"];
export type Export = Schemas["Export"];
export type ExportInput = Schemas["ExportInput"];

const id = (value: string) => ({ params: { path: { id: value } } });
const whole = { params: { query: { page_size: 5000 } } };

export const policiesQuery = queryOptions({ queryKey: ["policies"], queryFn: async () => (await body(client.GET("/v1/retention/policies", whole))).policies });
export const policyQuery = (policy: string) => queryOptions({ queryKey: ["policies", policy], queryFn: () => tagged(client.GET("/v1/retention/policies/{id}", id(policy))) });
export const policyHistoryQuery = (policy: string) =>
  queryOptions({ queryKey: ["policies", policy, "history"], queryFn: async () => (await body(client.GET("/v1/retention/policies/{id}/history", id(policy)))).versions });

export const holdsQuery = queryOptions({ queryKey: ["holds"], queryFn: async () => (await body(client.GET("/v1/retention/holds", whole))).holds });
export const holdQuery = (hold: string) => queryOptions({ queryKey: ["holds", hold], queryFn: () => tagged(client.GET("/v1/retention/holds/{id}", id(hold))) });
export const holdHistoryQuery = (hold: string) =>
  queryOptions({ queryKey: ["holds", hold, "history"], queryFn: async () => (await body(client.GET("/v1/retention/holds/{id}/history", id(hold)))).versions });

export const previewOf = (input: PreviewInput): Promise<Preview> => body(client.POST("/v1/retention/preview", { body: input }));

/** What is kept now, and when it falls due. */
export interface RetentionState {
  at: string;
  complete: boolean;
  regions: { region: string; complete: boolean }[];
  classes: { class: string; stored: number; held: number; waiting: number; overdue: number; unknown: number; due_today: number; purged_this_month: number; for_good: number }[];
  days: { day: string; class: string; things: number; held: number }[];
  after_days: number;
  overdue_after_s: number;
}
export const stateQuery = queryOptions({ queryKey: ["retention", "state"], queryFn: ({ signal }) => ask<RetentionState>("/v1/retention/state", { signal }), refetchInterval: 60_000 });

/** Whether a report is of calls, and so takes the filters of their list. */
export const ofCalls = (kind: Export["kind"]): boolean => kind === "calls" || kind === "participants" || kind === "streams";

/** Whether a report is of kinds of kept things. */
export const ofClasses = (kind: Export["kind"]): boolean => kind === "retention" || kind === "held_content";

/** Jobs that still move are asked for again. */
const MOVES = new Set(["queued", "running", "awaiting_approval"]);
export const moves = (e: Pick<Export, "state">): boolean => MOVES.has(e.state);

export const exportsQuery = queryOptions({
  queryKey: ["exports"],
  queryFn: async () => (await body(client.GET("/v1/exports", { params: { query: { page_size: 200 } } }))).exports,
  refetchInterval: (query) => (query.state.data?.some(moves) ? 2000 : false),
});
export const exportQuery = (job: string) =>
  queryOptions({
    queryKey: ["exports", job],
    queryFn: () => body(client.GET("/v1/exports/{id}", id(job))),
    refetchInterval: (query) => (query.state.data && moves(query.state.data) ? 1000 : false),
  });

/** The newest checkpoint of a region's ledger, taken apart: who logs, how many entries, the root, and the text as it was signed. */
export interface Checkpoint {
  region: string;
  origin: string;
  size: number;
  root: string;
  text: string;
  /** When it was fetched: checkpoints carry no time of their own. */
  at: number;
}
export const checkpointQuery = (region: string) =>
  queryOptions({
    queryKey: ["ledger", region, "checkpoint"],
    retry: false,
    refetchInterval: 30_000,
    queryFn: async (): Promise<Checkpoint> => {
      const text = await body(client.GET("/v1/ledger/{region}/checkpoint", { params: { path: { region } }, parseAs: "text" }));
      const [origin = "", size = "0", root = ""] = text.split("\n");
      return { region, origin, size: Number(size), root, text, at: Date.now() };
    },
  });
export const ledgerKeyQuery = (region: string) =>
  queryOptions({
    queryKey: ["ledger", region, "key"],
    retry: false,
    staleTime: 3_600_000,
    queryFn: async () => (await body(client.GET("/v1/ledger/{region}/key", { params: { path: { region } }, parseAs: "text" }))).trim(),
  });
