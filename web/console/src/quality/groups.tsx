import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Group, qualityQuery } from "../api/analytics";
import type { Filters } from "../api/filters";
import { count, percent } from "../api/figures";
import { useAddress } from "../frame/search-state";
import { Name } from "../parts/facts";
import { Go, type Place } from "../parts/go";
import { metricName, valueName } from "../parts/reasons";
import { Panel } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { qualityTexts as texts } from "../texts/quality";

/** The filter of calls that a group's value is; media is none. */
const FILTER: Record<string, string> = { reason: "reason", site: "site", client: "client", client_version: "client_version", region: "region", side: "side" };

/** The name of a group's value. */
export function groupName(by: string, value: string | null | undefined): string {
  if (value === null || value === undefined || value === "") return by === "reason" ? texts.noReason : by === "side" ? texts.noSide : texts.noValue;
  if (by === "reason") return metricName(value);
  return by === "side" || by === "media" ? valueName(value) : value;
}

/** Where a group's calls are listed. */
export function callsOf(filters: Filters, by: string, value: string | null | undefined): Place {
  const name = FILTER[by];
  // What has no reason isn't poor.
  const verdict = by === "reason" && !value ? undefined : "poor";
  return { to: "/calls", state: { ...filters, verdict, ...(name && value ? { [name]: value } : {}) } };
}

/** Where is it bad: the shares by one property, each leading to its calls. */
export function Groups({ filters }: { filters: Filters }) {
  const [search, change] = useAddress();
  const by = texts.by[search["by"] ?? ""] ? (search["by"] ?? "media") : "media";
  const answer = useQuery(qualityQuery(filters, by));
  const columns: Column<Group>[] = [
    { id: "name", header: texts.groupColumns.name, value: (g) => groupName(by, g.key[by]), cell: (g) => <Go {...callsOf(filters, by, g.key[by])}><Name text={groupName(by, g.key[by])} /></Go> },
    { id: "bar", header: texts.groupColumns.ratio, wide: true, value: (g) => g.poor_ratio, cell: (g) => <Share ratio={g.poor_ratio} /> },
    { id: "poor", header: texts.groupColumns.poor, right: true, value: (g) => g.poor, cell: (g) => count(g.poor) },
    { id: "streams", header: texts.groupColumns.streams, right: true, value: (g) => g.streams, cell: (g) => count(g.streams) },
    { id: "calls", header: texts.groupColumns.calls, right: true, value: (g) => g.calls, cell: (g) => count(g.calls) },
  ];
  return (
    <Panel
      title={texts.group}
      tools={<SegmentedControl size="xs" aria-label={texts.group} value={by} onChange={(value) => change({ by: value === "media" ? undefined : value }, { replace: true })} data={Object.entries(texts.by).map(([value, label]) => ({ value, label }))} />}
    >
      <Loaded query={answer}>
        {({ groups }) => (
          <DataTable<Group> compact
            label={texts.by[by] ?? by}
            columns={columns}
            rows={groups.toSorted((a, b) => b.poor - a.poor)}
            rowId={(g) => g.key[by] ?? ""}
            open={(g) => callsOf(filters, by, g.key[by])}
            empty={<Empty title={texts.noData}>{texts.noDataText}</Empty>}
          />
        )}
      </Loaded>
    </Panel>
  );
}

/** A share as a bar and a figure. */
function Share({ ratio }: { ratio: number | null }) {
  return (
    <span className="share">
      <span className="share-figure num">{percent(ratio)}</span>
      <span className="share-track" aria-hidden="true">
        <span className="share-bar" style={{ width: `${(ratio ?? 0) * 100}%` }} />
      </span>
    </span>
  );
}
