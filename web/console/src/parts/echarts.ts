// The chart library, with what is used of it. Loaded after the first screen is there.
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, MarkAreaComponent } from "echarts/components";
import { type ComposeOption, init, use } from "echarts/core";
import type { BarSeriesOption, LineSeriesOption } from "echarts/charts";
import type { GridComponentOption, MarkAreaComponentOption } from "echarts/components";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([BarChart, LineChart, GridComponent, MarkAreaComponent, CanvasRenderer, LabelLayout]);

export type ChartOption = ComposeOption<BarSeriesOption | LineSeriesOption | GridComponentOption | MarkAreaComponentOption>;

/** The tokens that charts share with everything else. */
export interface Look {
  text: string;
  quiet: string;
  border: string;
  page: string;
  raised: string;
  accent: string;
  font: string;
  good: string;
  poor: string;
  poorMark: string;
  poorSoft: string;
  unknown: string;
  held: string;
  due: string;
  overdue: string;
  series: string[];
}

/** The tokens as they are just now, light or dark. */
export function lookOf(element: Element): Look {
  const style = getComputedStyle(element);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: token("text"), quiet: token("quiet"), border: token("border"), page: token("page"), raised: token("raised"), accent: token("accent"),
    font: style.fontFamily, good: token("good-mark"), poor: token("poor"), poorMark: token("poor-mark"), poorSoft: token("poor-soft"),
    unknown: token("unknown-mark"), held: token("held-mark"), due: token("due-mark"), overdue: token("overdue-mark"),
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => token(`s${n}`)),
  };
}

export { init };
