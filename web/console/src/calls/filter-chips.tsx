import { FILTERS, type FilterName, type Filters } from "../api/filters";
import { useAddress } from "../frame/search-state";
import { FilterChips } from "../parts/filter-chips";
import { metricName, valueName } from "../parts/reasons";
import { callTexts } from "../texts/calls";

/** Values of those filters that have a closed set. */
const CHOICES: Partial<Record<FilterName, readonly string[]>> = {
  verdict: ["poor", "good", "unknown"],
  reason: Object.keys(callTexts.metrics),
  side: ["sender_uplink", "server", "receiver_downlink", "device", "none"],
  kind: ["meeting", "group", "p2p"],
  state: ["running", "partial", "complete"],
  recorded: ["true", "false"],
  source: ["media", "acs", "rtcstats", "webrtc-internals"],
  profile: ["call-diagnostics", "cqd", "real-time", "insights"],
};
const OFFERED: readonly FilterName[] = [
  "verdict", "reason", "side", "user", "client", "client_version", "region", "site", "subnet", "kind", "state", "min_duration_s", "max_duration_s",
  "recorded", "tag", "q", "source", "profile",
];
const TIMES: readonly FilterName[] = ["from", "to", "last", "org"];

/** What is set besides the time, in its order. */
export const narrowing = (filters: Filters): FilterName[] => FILTERS.filter((name) => !TIMES.includes(name) && filters[name] !== undefined);

/** What narrows calls besides the time. The address holds it. */
export function CallFilterChips({ filters }: { filters: Filters }) {
  const [, change] = useAddress();
  return (
    <FilterChips
      set={narrowing(filters)}
      offered={OFFERED}
      label={(name) => callTexts.filters[name] ?? name}
      value={(name) => filters[name] ?? ""}
      shown={(name) => shownValue(name, filters[name] ?? "")}
      choices={(name) => CHOICES[name]?.map((choice) => ({ value: choice, label: shownValue(name, choice) }))}
      numeric={(name) => name.endsWith("_s")}
      words={callTexts}
      add={(name, value) => change({ [name]: value === "" ? undefined : value })}
      remove={(names) => change(Object.fromEntries(names.map((name) => [name, undefined])))}
    />
  );
}

/** A filter's value in words. */
export function shownValue(name: FilterName, value: string): string {
  return name === "reason" ? metricName(value) : CHOICES[name] ? valueName(value) : value;
}
