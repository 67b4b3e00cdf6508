import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, ask, body, client, queryOf } from "./client";
import { type Freshness, noteFreshness } from "./freshness";

export type Decision = Schemas["Decision"];
export type DecisionDetail = Schemas["DecisionDetail"];

/** What narrows the decisions, as addresses and the API name it. */
export const DECISION_FILTERS = ["effect", "action", "capability", "reason", "rule", "revision", "call_id", "meeting_id", "error"] as const;
export type DecisionFilter = (typeof DECISION_FILTERS)[number];
export type DecisionFilters = Partial<Record<DecisionFilter | "from" | "to" | "last", string>>;

type DecisionPage = { decisions: Decision[]; next_page_token: string | null; freshness: Freshness };

export const decisionPage = (org: string, filters: DecisionFilters, page?: string, limit = 50): Promise<DecisionPage> =>
  ask<DecisionPage>(`/v1/policies/${encodeURIComponent(org)}/decisions${queryOf({ ...filters, limit, page_token: page })}`).then(noteFreshness);

export const decisionsQuery = (org: string, filters: DecisionFilters) =>
  infiniteQueryOptions({
    queryKey: ["decisions", org, filters],
    queryFn: ({ pageParam }) => decisionPage(org, filters, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_page_token ?? undefined,
    placeholderData: (before) => before,
  });

export const decisionQuery = (org: string, id: string) =>
  queryOptions({
    queryKey: ["decisions", org, "one", id],
    queryFn: () => body(client.GET("/v1/policies/{org}/decisions/{id}", { params: { path: { org, id } } })),
    staleTime: 60_000,
    retry: false,
  });
