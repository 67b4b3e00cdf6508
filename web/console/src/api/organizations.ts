import { queryOptions } from "@tanstack/react-query";
import { type Schemas, body, client, tagged } from "./client";

export type Organization = Schemas["Organization"];
export type User = Schemas["User"];
export type Resource = Schemas["Resource"];

export const organizationQuery = (id: string | undefined) =>
  queryOptions({
    queryKey: ["organization", id],
    enabled: id !== undefined,
    staleTime: 60_000,
    retry: false,
    queryFn: () => tagged(client.GET("/v1/organizations/{id}", { params: { path: { id: id ?? "" } } })),
  });

/** Users of the organisation, as many as one page holds. */
export const usersQuery = (id: string | undefined) =>
  queryOptions({
    queryKey: ["users", id],
    enabled: id !== undefined,
    staleTime: 300_000,
    retry: false,
    queryFn: async () => (await body(client.GET("/v1/organizations/{id}/users", { params: { path: { id: id ?? "" }, query: { page_size: 5000 } } }))).users,
  });

/** Applications that bring guests. */
export const resourcesQuery = queryOptions({ queryKey: ["resources"], retry: false, staleTime: 60_000, queryFn: async () => (await body(client.GET("/v1/resources"))).resources });

/** All organisations, for operators; one's own for others. */
export const organizationsQuery = queryOptions({ queryKey: ["organizations"], queryFn: async () => (await body(client.GET("/v1/organizations"))).organizations });
