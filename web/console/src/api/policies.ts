import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, body, client } from "./client";

/** The files of a policy by path: Rego, its tests, and data.json. */
export type Files = Readonly<Record<string, string>>;

/** What to check, test, evaluate or replay. */
export interface Reference {
  files: Files;
}

export type Diagnostic = Schemas["PolicyDiagnostic"];
export type Active = Schemas["ActivePolicy"];
export type Revision = Schemas["PolicyRevision"];
/** A draft as lists have it; read one by one, its files are with it. */
export type DraftHead = Schemas["PolicyDraft"];
export type Draft = DraftHead & { files: Files };
export type CheckResult = Schemas["PolicyCheck"];
export type TestCase = Schemas["PolicyTestCase"];
export type TestResult = Schemas["PolicyTests"];
export type FileCoverage = Schemas["PolicyFileCoverage"];
/** Ranges of lines, both ends included. */
export type Ranges = Schemas["PolicyRanges"];
export type Evaluation = Schemas["PolicyEvaluation"];
export type FileDiff = Schemas["PolicyFileDiff"];

export type Replay = Schemas["PolicyReplay"];
export type ReplayResult = NonNullable<Schemas["PolicyReplayResult"]>;
export type Difference = ReplayResult["differences"][number];
/** What would change of how long things are kept. */
export type KeptReplay = NonNullable<ReplayResult["retention"]>;
export type KeptChange = KeptReplay["changes"][number];

/** What a policy may use: to complete and explain, and to read. */
export type PolicyReference = Schemas["PolicyReference"];
/** One capability, and whether guests have it under the base policy alone. */
export type CapabilityDoc = PolicyReference["capabilities"][number];

const path = (org: string) => ({ params: { path: { org } } });
const matching = (version: number) => ({ "If-Match": `"${version}"` });
const key = (org: string, ...rest: unknown[]) => ["policy", org, ...rest];

export const activeQuery = (org: string) => queryOptions({ queryKey: key(org, "active"), queryFn: () => body(client.GET("/v1/policies/{org}/active", path(org))), refetchInterval: 15_000 });

export const revisionsQuery = (org: string) =>
  infiniteQueryOptions({
    queryKey: key(org, "revisions"),
    queryFn: ({ pageParam }) => body(client.GET("/v1/policies/{org}/revisions", { params: { path: { org }, query: { limit: 50, ...(pageParam !== undefined && { page_token: pageParam }) } } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_page_token ?? undefined,
  });
export const revisionQuery = (org: string, number: number) =>
  queryOptions({
    queryKey: key(org, "revisions", number),
    queryFn: () => body(client.GET("/v1/policies/{org}/revisions/{number}", { params: { path: { org, number } } })),
    staleTime: 60_000,
    retry: false,
  });

const withFiles = (draft: DraftHead): Draft => ({ ...draft, files: draft.files ?? {} });
export const draftsQuery = (org: string) => queryOptions({ queryKey: key(org, "drafts"), queryFn: async () => (await body(client.GET("/v1/policies/{org}/drafts", path(org)))).drafts });
export const loadDraft = async (org: string, id: string): Promise<Draft> => withFiles(await body(client.GET("/v1/policies/{org}/drafts/{id}", { params: { path: { org, id } } })));
/** A draft as it was when it was opened: whoever works on it knows better, so that it is not asked for again by itself. */
export const draftQuery = (org: string, id: string) =>
  queryOptions({ queryKey: key(org, "drafts", id), queryFn: () => loadDraft(org, id), staleTime: Number.POSITIVE_INFINITY, gcTime: 0, retry: false });

export const newDraft = async (org: string, draft: { title: string; based_on: number; files: Files }): Promise<Draft> => ({
  ...(await body(client.POST("/v1/policies/{org}/drafts", { ...path(org), body: draft }))),
  files: draft.files,
});
export const putDraft = (org: string, { id, version, title, based_on, files }: Draft): Promise<DraftHead> =>
  body(client.PUT("/v1/policies/{org}/drafts/{id}", { params: { path: { org, id }, header: matching(version) }, body: { title, based_on, files } }));
export const deleteDraft = (org: string, { id, version }: DraftHead): Promise<unknown> =>
  body(client.DELETE("/v1/policies/{org}/drafts/{id}", { params: { path: { org, id }, header: matching(version) } }));

export const check = (org: string, of: Reference, signal: AbortSignal): Promise<CheckResult> => body(client.POST("/v1/policies/{org}/check", { ...path(org), body: of, signal }));
export const format = (org: string, files: Files): Promise<{ files: Files; diagnostics: Diagnostic[] }> => body(client.POST("/v1/policies/{org}/format", { ...path(org), body: { files } }));
export const runTests = (org: string, of: Reference, run?: string): Promise<TestResult> =>
  body(client.POST("/v1/policies/{org}/test", { ...path(org), body: { ...of, trace: true, ...(run !== undefined && { run }) } }));
export const evaluate = (org: string, of: Reference, what: { input: Record<string, unknown> } | { decision_id: string }, query?: string): Promise<Evaluation> =>
  body(client.POST("/v1/policies/{org}/evaluate", { ...path(org), body: { ...of, ...what, ...(query !== undefined && { query }) } }));

export const newRevision = (org: string, of: Reference, message: string, parent: number): Promise<Revision> =>
  body(client.POST("/v1/policies/{org}/revisions", { ...path(org), body: { ...of, message, parent } }));
export const activate = (org: string, revision: number, message: string, version: number): Promise<Active> =>
  body(client.POST("/v1/policies/{org}/activate", { params: { path: { org }, header: matching(version) }, body: { revision, message } }));
export const rollback = (org: string, to: number, message: string, version: number): Promise<Active> =>
  body(client.POST("/v1/policies/{org}/rollback", { params: { path: { org }, header: matching(version) }, body: { to, message } }));

export const diffQuery = (org: string, from: string, to: string, version: string) =>
  queryOptions({
    queryKey: key(org, "diff", from, to, version),
    queryFn: async () => (await body(client.GET("/v1/policies/{org}/diff", { params: { path: { org }, query: { from, to } } }))).files,
  });

export const referenceQuery = (org: string) => queryOptions({ queryKey: key(org, "reference"), queryFn: () => body(client.GET("/v1/policies/{org}/reference", path(org))), staleTime: 600_000, retry: false });

export const moves = (replay: Pick<Replay, "state">): boolean => replay.state === "queued" || replay.state === "running";
export const startReplay = (org: string, of: Reference, last: string): Promise<Replay> => body(client.POST("/v1/policies/{org}/replay", { ...path(org), body: { ...of, last } }));
export const replayQuery = (org: string, id: string) =>
  queryOptions({
    queryKey: key(org, "replays", id),
    queryFn: () => body(client.GET("/v1/policies/{org}/replays/{id}", { params: { path: { org, id } } })),
    refetchInterval: (query) => (query.state.data && moves(query.state.data) ? 500 : false),
    retry: false,
  });
export const cancelReplay = (org: string, id: string): Promise<Replay> => body(client.DELETE("/v1/policies/{org}/replays/{id}", { params: { path: { org, id } } }));
