import type { ChartOption, Look } from "../parts/echarts";
import { clock, hourMinute } from "../api/times";
import type { Threshold } from "./thresholds";
import { type Window, ticks } from "./window";

/** One line of a chart. */
export interface Drawn {
  name: string;
  poor: boolean;
  media: string;
  /** The stream's colour, the same in all charts. */
  color: number;
  points: [number, number | null][];
  text: (value: number) => string;
}

interface Parts {
  look: Look;
  drawn: readonly Drawn[];
  window: Window;
  threshold: Threshold | undefined;
  text: (value: number) => string;
  left: number;
  right: number;
  /** The lowest chart carries the axis that all have in common. */
  last: boolean;
}

/** Lines over time, the poor side of the threshold as a band. Values start at zero. */
export function chartOption({ look, drawn, window, threshold, text, left, right, last }: Parts): ChartOption {
  const most = Math.max(0, ...drawn.flatMap((d) => d.points.map(([, value]) => value ?? 0)));
  const top = Math.max(most * 1.1, threshold && !threshold.below ? threshold.value * 1.3 : 0, Number.MIN_VALUE);
  const short = window.to - window.from < 600_000;
  return {
    animation: false,
    grid: { left, right, top: 6, bottom: last ? 20 : 6, outerBoundsMode: "none" },
    xAxis: {
      type: "time",
      min: window.from,
      max: window.to,
      axisLine: { lineStyle: { color: look.border } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        show: last, color: look.quiet, fontSize: 11, fontFamily: look.font, hideOverlap: true, customValues: ticks(window, 8),
        formatter: (value: number) => (short ? clock(new Date(value)) : hourMinute(new Date(value))),
      },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: top,
      splitNumber: 2,
      axisLabel: { color: look.quiet, fontSize: 11, fontFamily: look.font, formatter: (value: number) => text(value), showMaxLabel: false },
      splitLine: { lineStyle: { color: look.border, opacity: 0.6 } },
    },
    series: [
      {
        type: "line",
        data: [],
        silent: true,
        ...(threshold && {
          markArea: {
            silent: true,
            itemStyle: { color: look.poorSoft, opacity: 0.75 },
            label: { show: false },
            data: [[{ yAxis: threshold.below ? 0 : threshold.value }, { yAxis: threshold.below ? threshold.value : top }]],
          },
        }),
      },
      ...drawn.map((d) => ({
        type: "line" as const,
        name: d.name,
        data: d.points,
        showSymbol: d.points.length < 3,
        symbolSize: 4,
        connectNulls: false,
        silent: true,
        sampling: "lttb" as const,
        lineStyle: { width: d.poor ? 2 : 1.25, opacity: d.poor ? 1 : 0.65 },
        itemStyle: { color: look.series[d.color % look.series.length] as string },
        z: d.poor ? 4 : 3,
      })),
    ],
  };
}
