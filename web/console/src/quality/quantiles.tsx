import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type QuantilePoint, quantilesQuery } from "../api/analytics";
import { type Filters, windowOf } from "../api/filters";
import { ms, percent } from "../api/figures";
import { day, hourMinute, steps } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Chart } from "../parts/chart";
import type { ChartOption, Look } from "../parts/echarts";
import { Panel } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { qualityTexts as texts } from "../texts/quality";

const LINES = ["p50", "p75", "p90", "p95", "p99"] as const;

/** How bad is it for most, and for the worst? */
export function Quantiles({ filters }: { filters: Filters }) {
  const [search, change] = useAddress();
  const metric = texts.metrics[search["metric"] ?? ""] ? (search["metric"] ?? "jitter_ms") : "jitter_ms";
  const { from, to } = windowOf(filters);
  const step = to - from > 4 * 86_400_000 ? "day" : to - from > 6 * 3_600_000 ? "hour" : "minute";
  const answer = useQuery({ ...quantilesQuery(filters, metric, step), retry: false });
  return (
    <Panel
      title={texts.quantiles}
      tools={<SegmentedControl size="xs" aria-label={texts.quantiles} value={metric} onChange={(value) => change({ metric: value === "jitter_ms" ? undefined : value }, { replace: true })} data={Object.entries(texts.metrics).map(([value, label]) => ({ value, label }))} />}
    >
      <Loaded query={answer}>
        {({ points }) =>
          points.length === 0 ? (
            <Empty title={texts.noData}>{texts.noDataText}</Empty>
          ) : (
            <>
              <ul className="row small quiet legend">
                {LINES.map((line, i) => <li key={line}><span className="swatch line shade" style={{ opacity: shade(i), height: line === "p50" ? 3 : 2 }} /> {line}</li>)}
              </ul>
              <Chart height={220} label={texts.quantileAria(texts.metrics[metric] ?? metric)} option={(look) => quantileOption(look, timed(points, step, from, to), metric, step)} deps={[points, metric]} />
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

/** Higher quantiles are paler: fewer are as bad as that. */
const shade = (i: number): number => 0.4 + 0.15 * (LINES.length - i);

interface Timed {
  at: number;
  point: QuantilePoint | undefined;
}

/** Each day or hour of the window has its place, so that what lies far apart is drawn far apart. */
function timed(points: readonly QuantilePoint[], step: string, from: number, to: number): Timed[] {
  if (step === "minute") return points.map((point) => ({ at: Date.parse(point.at), point }));
  const by = new Map(points.map((p) => [Date.parse(p.at), p]));
  return steps(step === "day" ? "day" : "hour", from, to).map((at) => ({ at, point: by.get(at) }));
}

function quantileOption(look: Look, points: readonly Timed[], metric: string, step: string): ChartOption {
  const text = metric === "loss_ratio" ? percent : ms;
  const label = { color: look.quiet, fontSize: 11, fontFamily: look.font };
  const known = points.filter((p) => p.point).length;
  return {
    animation: false,
    grid: { left: 72, right: 24, top: 12, bottom: 24, outerBoundsMode: "none" },
    xAxis: { type: "category", data: points.map(({ at }) => (step === "day" ? day(new Date(at)) : hourMinute(new Date(at)))), axisLabel: { ...label, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: look.border } } },
    yAxis: { type: "value", min: 0, splitNumber: 3, axisLabel: { ...label, formatter: (v: number) => text(v) }, splitLine: { lineStyle: { color: look.border, opacity: 0.6 } } },
    series: LINES.map((line, i) => ({
      type: "line" as const, name: line, data: points.map(({ point }) => point?.[line] ?? null), symbol: "circle", symbolSize: known > 31 ? 0 : 5, showSymbol: true, connectNulls: true, silent: true,
      lineStyle: { width: line === "p50" ? 2.5 : 1.5, opacity: shade(i), color: look.accent },
      itemStyle: { color: look.accent, opacity: shade(i) },
    })),
  };
}
