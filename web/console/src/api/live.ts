import { queryOptions } from "@tanstack/react-query";
import { type Schemas, ask } from "./client";

/** Calls as the push tells of them: those of org users that run, or ended within the last 24 hours. No guest is in it. */
export type LiveCalls = Schemas["LiveCalls"];
export type LiveCall = Schemas["LiveCall"];

export const isRunning = (call: LiveCall): boolean => call.state === "running";

/** How many calls run; what the frame shows beside Live. */
export const runningQuery = queryOptions({
  queryKey: ["running"],
  retry: false,
  refetchInterval: 30_000,
  queryFn: async () => (await ask<LiveCalls>("/v1/live", { headers: { Accept: "application/json" } })).calls.filter(isRunning).length,
});
