import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type QuantilePoint, quantilesQuery } from "../api/analytics";
import { type Filters, windowOf } from "../api/filters";
import { ms, percent } from "../api/figures";
import { day, hourMinute } from "../api/times";
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
            <Chart height={220} label={texts.quantileAria(texts.metrics[metric] ?? metric)} option={(look) => quantileOption(look, points, metric, step)} deps={[points, metric]} />
          )
        }
      </Loaded>
    </Panel>
  );
}

function quantileOption(look: Look, points: readonly QuantilePoint[], metric: string, step: string): ChartOption {
  const text = metric === "loss_ratio" ? percent : ms;
  const label = { color: look.quiet, fontSize: 11, fontFamily: look.font };
  return {
    animation: false,
    grid: { left: 72, right: 40, top: 12, bottom: 24, outerBoundsMode: "none" },
    xAxis: { type: "category", data: points.map((p) => (step === "day" ? day(new Date(p.at)) : hourMinute(new Date(p.at)))), axisLabel: { ...label, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: look.border } }, boundaryGap: points.length < 2 },
    yAxis: { type: "value", min: 0, splitNumber: 3, axisLabel: { ...label, formatter: (v: number) => text(v) }, splitLine: { lineStyle: { color: look.border, opacity: 0.6 } } },
    series: LINES.map((line, i) => ({
      type: "line" as const, name: line, data: points.map((p) => p[line]), symbol: "circle", symbolSize: points.length < 3 ? 5 : 0, showSymbol: true, connectNulls: true, silent: true,
      // Labelled at its end instead of in a legend.
      endLabel: { show: true, formatter: line, color: look.quiet, fontSize: 11, fontFamily: look.font, distance: 4 },
      lineStyle: { width: line === "p50" ? 2.5 : 1.5, opacity: 0.4 + 0.15 * (LINES.length - i), color: look.accent },
      itemStyle: { color: look.accent },
      labelLayout: { moveOverlap: "shiftY" as const },
    })),
  };
}
