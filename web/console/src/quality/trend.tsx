import { useQuery } from "@tanstack/react-query";
import { type Group, type Totals, qualityQuery } from "../api/analytics";
import { type Filters, windowOf } from "../api/filters";
import { count, percent } from "../api/figures";
import { day, steps } from "../api/times";
import { useGo } from "../parts/go";
import { Chart } from "../parts/chart";
import type { ChartOption, Look } from "../parts/echarts";
import { Loaded } from "../parts/states";
import { qualityTexts as texts } from "../texts/quality";

const DAY = 86_400_000;

interface Day {
  at: number;
  group: Group | undefined;
  before: Group | undefined;
}

/** Poor % over good, poor and unknown, day by day, with the period before as a faint line. */
export function Trend({ filters, totals }: { filters: Filters; totals: Totals }) {
  const { from, to } = windowOf(filters);
  const answer = useQuery(qualityQuery(filters, "day", { compare: "previous" }));
  const go = useGo();
  return (
    <Loaded query={answer}>
      {({ groups, previous }) => {
        const days = daysOf(groups, previous?.groups ?? [], from, to);
        return (
          <>
            <Legend />
            <Chart
              height={240}
              label={texts.trendAria(percent(totals.poor_ratio), days.length)}
              option={(look) => trendOption(look, days, previous !== null)}
              deps={[groups, previous]}
              onClick={({ dataIndex }) => {
                const at = days[dataIndex]?.at;
                if (at !== undefined) go({ to: "/calls", state: { ...filters, last: undefined, from: new Date(at).toISOString(), to: new Date(at + DAY).toISOString(), verdict: "poor" } });
              }}
            />
          </>
        );
      }}
    </Loaded>
  );
}

function daysOf(groups: readonly Group[], before: readonly Group[], from: number, to: number): Day[] {
  const length = to - from;
  const by = (list: readonly Group[]): Map<number, Group> => new Map(list.map((g) => [Date.parse(g.key["day"] ?? ""), g]));
  const [now, then] = [by(groups), by(before)];
  const [these, those] = [steps("day", from, to), steps("day", from - length, from)];
  return these.map((at, i) => ({ at, group: now.get(at), before: then.get(those[i] ?? 0) }));
}

function Legend() {
  const names = texts.trendLegend;
  return (
    <ul className="row small quiet legend">
      <li><span className="swatch good" /> {names.good}</li>
      <li><span className="swatch poor" /> {names.poor}</li>
      <li><span className="swatch unknown" /> {names.unknown}</li>
      <li><span className="swatch line" /> {names.ratio}</li>
      <li><span className="swatch line faint" /> {names.previous}</li>
    </ul>
  );
}

function trendOption(look: Look, days: readonly Day[], compared: boolean): ChartOption {
  const label = { color: look.quiet, fontSize: 11, fontFamily: look.font };
  const ratio = (g: Group | undefined): number | null => (g?.poor_ratio === undefined || g.poor_ratio === null ? null : g.poor_ratio * 100);
  const bar = (name: string, color: string, of: (g: Group) => number) => ({
    type: "bar" as const, name, stack: "streams", barCategoryGap: "25%", itemStyle: { color }, data: days.map((d) => (d.group ? of(d.group) : 0)), cursor: "pointer",
  });
  const names = texts.trendLegend;
  const most = Math.max(0, ...days.flatMap((d) => [ratio(d.group) ?? 0, compared ? (ratio(d.before) ?? 0) : 0]));
  const top = most > 40 ? 100 : Math.max(4, Math.ceil((most * 1.1) / 4) * 4);
  return {
    animation: false,
    grid: { left: 52, right: 48, top: 12, bottom: 24, outerBoundsMode: "none" },
    xAxis: { type: "category", data: days.map((d) => day(new Date(d.at))), axisLabel: { ...label, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: look.border } } },
    yAxis: [
      { type: "value", min: 0, minInterval: 1, splitNumber: 3, axisLabel: { ...label, formatter: (v: number) => count(v) }, splitLine: { lineStyle: { color: look.border, opacity: 0.6 } } },
      { type: "value", min: 0, max: top, interval: top / 4, axisLabel: { ...label, formatter: (v: number) => `${v} %` }, splitLine: { show: false } },
    ],
    series: [
      bar(names.poor, look.poorMark, (g) => g.poor),
      bar(names.good, look.good, (g) => g.good),
      bar(names.unknown, look.unknown, (g) => g.unknown),
      ...(compared ? [{ type: "line" as const, name: names.previous, yAxisIndex: 1, data: days.map((d) => ratio(d.before)), symbol: "none", connectNulls: true, silent: true, lineStyle: { color: look.quiet, width: 1.5, type: "dashed" as const, opacity: 0.7 } }] : []),
      { type: "line", name: names.ratio, yAxisIndex: 1, data: days.map((d) => ratio(d.group)), symbol: "circle", symbolSize: days.filter((d) => d.group).length > 31 ? 0 : 6, connectNulls: true, silent: true, lineStyle: { color: look.text, width: 2 }, itemStyle: { color: look.text } },
    ],
  };
}
