import { useComputedColorScheme } from "@mantine/core";
import { type DependencyList, useEffect, useRef } from "react";
import type { ChartOption, Look } from "./echarts";
import "./chart.css";

type Instance = ReturnType<typeof import("./echarts").init>;

interface Props {
  /** What the chart shows, in words. */
  label: string;
  height: number;
  option: (look: Look) => ChartOption;
  deps: DependencyList;
  /** What was pointed at with a click. */
  onClick?: (data: { name: string; value: unknown; dataIndex: number; seriesName?: string }) => void;
}

/** A chart in the colours of the page. It has its place before the library is there, so that nothing jumps. */
export function Chart({ label, height, option, deps, onClick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<Instance>(undefined);
  const scheme = useComputedColorScheme("light");
  const latest = useRef({ option, onClick });
  latest.current = { option, onClick };
  useEffect(() => {
    let gone = false;
    let watch: ResizeObserver | undefined;
    void import("./echarts").then(({ init, lookOf }) => {
      if (gone || !box.current) return;
      chart.current ??= init(box.current);
      chart.current.on("click", (event) => latest.current.onClick?.(event as never));
      chart.current.setOption(latest.current.option(lookOf(box.current)), { notMerge: true });
      watch = new ResizeObserver(() => chart.current?.resize());
      watch.observe(box.current);
    });
    return () => {
      gone = true;
      watch?.disconnect();
      chart.current?.dispose();
      chart.current = undefined;
    };
  }, []);
  useEffect(() => {
    void import("./echarts").then(({ lookOf }) => {
      if (chart.current && box.current) chart.current.setOption(latest.current.option(lookOf(box.current)), { notMerge: true });
    });
  }, [scheme, ...deps]);
  return <div className="chart" role="img" aria-label={label} ref={box} style={{ height }} />;
}
