import { Select } from "@mantine/core";
import type { ReactNode } from "react";
import type { Filters } from "../api/filters";
import { dayTime } from "../api/times";
import { useAddress } from "../frame/search-state";
import { callTexts } from "../texts/calls";
import { CallFilterChips } from "./filter-chips";
import { type ViewScreen, Views } from "./views";

/** How long a window is, or from when until when. */
export function windowText(filters: Filters): string {
  if (filters.last) return callTexts.last[filters.last] ?? filters.last;
  if (!filters.from && !filters.to) return callTexts.wholeTime;
  return [filters.from, filters.to].map((at) => (at ? dayTime(new Date(at)) : "…")).join(" – ");
}

/** What narrows the list: the time (or the screen's own way to choose it), and whatever else is set, each with a way to take it away. */
export function FilterBar({ filters, screen, children }: { filters: Filters; screen: ViewScreen; children?: ReactNode }) {
  const [, change] = useAddress();
  const custom = filters.last === undefined || callTexts.last[filters.last] === undefined;
  const times = Object.entries(callTexts.last).map(([value, label]) => ({ value, label }));
  return (
    <div className="row filters" role="group" aria-label={callTexts.filter}>
      {children ?? <Select
        size="xs"
        w={custom ? 230 : 140}
        aria-label={callTexts.time}
        value={custom ? "custom" : (filters.last ?? null)}
        data={custom ? [{ value: "custom", label: windowText(filters) }, ...times] : times}
        onChange={(value) => value && value !== "custom" && change({ last: value, from: undefined, to: undefined })}
      />}
      <CallFilterChips filters={filters} />
      <Views screen={screen} />
    </div>
  );
}
