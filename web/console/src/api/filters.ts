import type { Search } from "../router";
import { lastMs } from "./times";

/** What narrows calls, as addresses and the API name it. */
export const FILTERS = [
  "from", "to", "last", "org", "user", "q", "kind", "verdict", "reason", "side", "client", "client_version", "region", "site", "subnet",
  "min_duration_s", "max_duration_s", "hour_of_day", "weekday", "time_zone", "recorded", "tag", "source", "state", "profile",
] as const;
export type FilterName = (typeof FILTERS)[number];
export type Filters = Partial<Record<FilterName, string>>;

/** The filters of an address; without any time, the last 24 hours, or none where there is no default. */
export function filtersOf(search: Search, defaultLast: string | null = "24h"): Filters {
  const out: Filters = {};
  for (const name of FILTERS) {
    const value = search[name];
    if (value !== undefined) out[name] = value;
  }
  // A call that is asked for by an id is meant whenever it was.
  if (out.from === undefined && out.to === undefined && out.last === undefined && out.q === undefined && defaultLast !== null) out.last = defaultLast;
  return out;
}

/** The window of time that filters mean now. */
export function windowOf(filters: Filters, now = Date.now()): { from: number; to: number } {
  const length = lastMs(filters.last);
  if (length !== undefined) return { from: now - length, to: now };
  const to = filters.to ? Date.parse(filters.to) : now;
  return { from: filters.from ? Date.parse(filters.from) : to - 86_400_000, to };
}
