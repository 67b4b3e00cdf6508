import { FILTERS, type FilterName, type Filters } from "../api/filters";
import { ZONE } from "../api/times";
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
  hour_of_day: Array.from({ length: 24 }, (_, hour) => String(hour)),
  weekday: ["1", "2", "3", "4", "5", "6", "7"],
};
const OFFERED: readonly FilterName[] = [
  "verdict", "reason", "side", "user", "client", "client_version", "region", "site", "subnet", "kind", "state", "hour_of_day", "weekday", "min_duration_s",
  "max_duration_s", "recorded", "tag", "q", "source", "profile",
];
const TIMES: readonly FilterName[] = ["from", "to", "last", "org"];
/** Filters that mean something in a time zone only, which goes with them. */
const ZONED: readonly FilterName[] = ["hour_of_day", "weekday"];

/** What is set besides the time, in its order. */
export const narrowing = (filters: Filters): FilterName[] => FILTERS.filter((name) => !TIMES.includes(name) && name !== "time_zone" && filters[name] !== undefined);

/** The time zone of what is set, if it needs one. */
export const zoneOf = (filters: Filters): { time_zone?: string } =>
  ZONED.some((name) => filters[name] !== undefined) ? { time_zone: filters.time_zone ?? "UTC" } : {};

/** What narrows calls besides the time. The address holds it. */
export function CallFilterChips({ filters }: { filters: Filters }) {
  const [, change] = useAddress();
  return (
    <FilterChips
      set={narrowing(filters)}
      offered={OFFERED}
      label={(name) => callTexts.filters[name] ?? name}
      value={(name) => filters[name] ?? ""}
      shown={(name) => shownValue(name, filters[name] ?? "") + (ZONED.includes(name) && zoneOf(filters).time_zone !== ZONE ? `, ${zoneOf(filters).time_zone}` : "")}
      choices={(name) => CHOICES[name]?.map((choice) => ({ value: choice, label: shownValue(name, choice) }))}
      numeric={(name) => name.endsWith("_s")}
      words={callTexts}
      add={(name, value) => change({ [name]: value === "" ? undefined : value, ...(ZONED.includes(name) && { time_zone: filters.time_zone ?? ZONE }) })}
      remove={(names) => change({ ...Object.fromEntries(names.map((name) => [name, undefined])), ...(ZONED.every((name) => filters[name] === undefined || names.includes(name)) && { time_zone: undefined }) })}
    />
  );
}

/** A filter's value in words. */
export function shownValue(name: FilterName, value: string): string {
  if (name === "hour_of_day") return callTexts.hour(value);
  if (name === "weekday") return callTexts.weekdays[Number(value) - 1] ?? value;
  return name === "reason" ? metricName(value) : CHOICES[name] ? valueName(value) : value;
}
