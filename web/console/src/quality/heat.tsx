import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Heatmap, heatmapQuery } from "../api/analytics";
import { count, percent } from "../api/figures";
import type { Filters } from "../api/filters";
import { ZONE } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Go, type Place } from "../parts/go";
import { Panel } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { qualityTexts as texts } from "../texts/quality";
import { callsOf, groupName } from "./groups";

/** Where the poor calls of a cell are listed: those of its row that began in its hour, or on its day of the week, of the reader's. */
function callsAt(filters: Filters, y: string, row: string, x: string, value: string): Place {
  const of = callsOf(filters, y, row);
  return { ...of, state: { ...of.state, time_zone: filters.time_zone ?? ZONE, [x === "weekday" ? "weekday" : "hour_of_day"]: value } };
}

/** From so many per cent on a cell is as dark as cells get. */
const DARKEST = 0.25;

/** Where and when: each cell leads to its poor calls. */
export function Heat({ filters }: { filters: Filters }) {
  const [search, change] = useAddress();
  const y = texts.heatRows[search["rows"] ?? ""] ? (search["rows"] ?? "site") : "site";
  const x = texts.heatCols[search["cols"] ?? ""] ? (search["cols"] ?? "hour") : "hour";
  const answer = useQuery({ ...heatmapQuery(filters, x, y), retry: false });
  const choice = (names: Record<string, string>, value: string, key: string, first: string) => (
    <SegmentedControl size="xs" aria-label={texts.heat} value={value} onChange={(v) => change({ [key]: v === first ? undefined : v }, { replace: true })} data={Object.entries(names).map(([v, label]) => ({ value: v, label }))} />
  );
  return (
    <Panel title={texts.heat} tools={<div className="row">{choice(texts.heatCols, x, "cols", "hour")}{choice(texts.heatRows, y, "rows", "site")}</div>}>
      <Loaded query={answer}>{(heat) => (heat.cells.length === 0 ? <Empty title={texts.noData}>{texts.noDataText}</Empty> : <Cells heat={heat} filters={filters} x={x} y={y} />)}</Loaded>
    </Panel>
  );
}

function Cells({ heat, filters, x, y }: { heat: Heatmap; filters: Filters; x: string; y: string }) {
  const cells = new Map(heat.cells.map((c) => [`${c.x}\n${c.y}`, c]));
  const name = (value: string): string => (x === "weekday" ? (texts.weekdays[Number(value) - 1] ?? value) : value);
  return (
    <>
      <div className="heat-scroll" tabIndex={0} role="region" aria-label={texts.heat}>
        <table className="heat">
          <thead>
            <tr>
              <td />
              {heat.x.map((value) => <th key={value} scope="col">{name(value)}</th>)}
            </tr>
          </thead>
          <tbody>
            {heat.y.map((row) => (
              <tr key={row}>
                <th scope="row"><bdi title={groupName(y, row)}>{groupName(y, row)}</bdi></th>
                {heat.x.map((value) => {
                  const cell = cells.get(`${value}\n${row}`);
                  if (!cell || cell.streams === 0) return <td key={value} className="none" />;
                  const strength = Math.min(1, (cell.poor_ratio ?? 0) / DARKEST);
                  const text = texts.heatCell(groupName(y, row), name(value), percent(cell.poor_ratio), count(cell.streams));
                  return (
                    <td key={value} style={{ backgroundColor: `color-mix(in srgb, var(--poor-mark) ${Math.round(strength * 78)}%, var(--good-soft))` }}>
                      <Go {...callsAt(filters, y, row, x, value)} title={text} label={text} className={strength > 0.55 ? "dark" : "light"}>
                        {cell.poor_ratio === null ? "" : Math.round(cell.poor_ratio * 100)}
                      </Go>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="small quiet">{texts.heatHint(y !== "media", x === "weekday")}</p>
    </>
  );
}
