import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Metric, type Point, type Series, type Stream, samplesQuery } from "../api/analytics";
import { bitrate, ms, percent } from "../api/figures";
import { clock } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Chart } from "../parts/chart";
import { useDrag } from "../parts/drag";
import { Empty, Trouble, Waiting } from "../parts/states";
import { callTexts } from "../texts/calls";
import { type Drawn, chartOption } from "./chart-option";
import type { CallParts } from "./overview";
import type { People } from "./people";
import { thresholdOf } from "./thresholds";

/** Pixels beside each chart's time axis; all have the same, so that one cursor fits all. */
export const LEFT = 64;
export const RIGHT = 12;

const METRICS: readonly { metric: Metric; text: (value: number) => string }[] = [
  { metric: "loss_ratio", text: percent },
  { metric: "jitter_ms", text: ms },
  { metric: "rtt_ms", text: ms },
  { metric: "bitrate_bps", text: bitrate },
];

/** More lines than this in one chart tell nothing; the worst are drawn. */
const MAX_LINES = 24;
/** So many can be named beside the chart. */
const MAX_NAMES = 6;

/** Four charts on one time axis with one cursor; marking a stretch zooms all. */
export function Charts({ call, streams, window, zoom, people, focus }: CallParts) {
  const [search, change] = useAddress();
  const one = search["stream"];
  const samples = useQuery(samplesQuery(call.call_id, window.from, window.to));
  const poorOnly = search["lines"] === "poor";
  const shown = useMemo(() => choose(streams, one, poorOnly, focus), [streams, one, poorOnly, focus]);
  const series = useMemo(() => (samples.data?.streams ?? []).filter((s) => shown.some((stream) => stream.stream_id === s.stream_id)), [samples.data, shown]);
  const width = window.to - window.from;
  const { marked, hover, handlers } = useDrag({
    left: LEFT,
    right: RIGHT,
    chosen: (range) => zoom({ from: window.from + range.from * width, to: window.from + range.to * width }),
  });
  if (samples.error) return <Trouble error={samples.error} retry={() => void samples.refetch()} />;
  if (!samples.data) return <Waiting rows={8} height={32} />;
  const at = hover === undefined ? undefined : window.from + hover * width;
  return (
    <div className="charts">
      <div className="row charts-tools">
        <SegmentedControl
          size="xs"
          aria-label={callTexts.streamFilter}
          value={one ? "one" : poorOnly ? "poor" : "all"}
          onChange={(value) => change({ lines: value === "poor" ? "poor" : undefined, stream: undefined }, { replace: true })}
          data={[{ value: "all", label: callTexts.allStreams }, { value: "poor", label: callTexts.poorStreams }, ...(one ? [{ value: "one", label: callTexts.oneStream }] : [])]}
        />
        <span className="num small charts-clock">{at !== undefined && clock(new Date(at))}</span>
        <Names shown={shown} series={series} people={people} />
      </div>
      {series.every((s) => s.points.length === 0) ? (
        <Empty title={callTexts.noSamples}>{callTexts.noSamplesText}</Empty>
      ) : (
        <div className="charts-stack" {...handlers}>
          {METRICS.map(({ metric, text }, i) => {
            const drawn = drawnOf(series, shown, metric, people, text);
            const threshold = thresholdOf(metric, shown);
            const last = i === METRICS.length - 1;
            return (
              <div key={metric} className="chart-box">
                <div className="chart-title">
                  <strong>{callTexts.charted[metric]}</strong>
                  {threshold && <span className="band-name">{threshold.below ? callTexts.poorUnder(text(threshold.value)) : callTexts.poorOver(text(threshold.value))}</span>}
                  <Readout drawn={drawn} at={at} text={text} left={hover !== undefined && hover > 0.5} />
                </div>
                <Chart
                  height={last ? 116 : 100}
                  label={callTexts.chartAria(callTexts.charted[metric] ?? metric, drawn.length, worstText(drawn, metric, text))}
                  option={(look) => chartOption({ look, drawn, window, threshold, text, left: LEFT, right: RIGHT, last })}
                  deps={[drawn, window.from, window.to]}
                />
              </div>
            );
          })}
          {hover !== undefined && <span className="cursor" style={{ left: `calc(${LEFT}px + ${hover} * (100% - ${LEFT + RIGHT}px))` }} />}
          {marked && <span className="zoom-marked" style={{ left: `calc(${LEFT}px + ${marked.from} * (100% - ${LEFT + RIGHT}px))`, width: `calc(${marked.to - marked.from} * (100% - ${LEFT + RIGHT}px))` }} />}
        </div>
      )}
    </div>
  );
}

/** The streams to draw: the one that is asked for, those of the one that is asked for, or the worst. */
function choose(streams: readonly Stream[], one: string | undefined, poorOnly: boolean, focus: string | undefined): Stream[] {
  if (one && streams.some((s) => s.stream_id === one)) return streams.filter((s) => s.stream_id === one);
  const rank = (s: Stream): number => (s.participant_id === focus ? 4 : 0) + (s.verdict === "poor" ? 2 : 0) + (s.verdict === "good" ? 1 : 0);
  return streams
    .filter((s) => !poorOnly || s.verdict === "poor")
    .toSorted((a, b) => rank(b) - rank(a))
    .slice(0, MAX_LINES);
}

function drawnOf(series: readonly Series[], streams: readonly Stream[], metric: Metric, people: People, text: (value: number) => string): Drawn[] {
  const out: Drawn[] = [];
  for (const [color, stream] of streams.entries()) {
    const own = series.find((s) => s.stream_id === stream.stream_id);
    const points = (own?.points ?? []).map((p): [number, number | null] => [Date.parse(p.at), valueOf(p, metric)]);
    if (points.some(([, value]) => value !== null)) {
      const name = callTexts.stream(stream.media, stream.direction, people(stream.participant_id, stream.participant_label));
      out.push({ name, poor: stream.verdict === "poor", media: stream.media, color, points, text });
    }
  }
  return out;
}

function valueOf(p: Point, metric: Metric): number | null {
  return metric === "bitrate_bps" ? p.bitrate_bps : p[metric].avg;
}

/** Which line is whose, where the lines are few; once for all charts. */
function Names({ shown, series, people }: { shown: readonly Stream[]; series: readonly Series[]; people: People }) {
  if (shown.length > MAX_NAMES) return null;
  return (
    <span className="readout quiet">
      {shown.map((s, i) => series.some((own) => own.stream_id === s.stream_id) && (
        <span key={s.stream_id} className="readout-value">
          <span className={`swatch s${(i % 8) + 1}`} aria-hidden="true" />
          <bdi>{callTexts.stream(s.media, s.direction, people(s.participant_id, s.participant_label))}</bdi>
        </span>
      ))}
    </span>
  );
}

/** The values under the cursor, the worst streams first; they stand over the chart, on the side where the cursor isn't, so that nothing moves. */
function Readout({ drawn, at, text, left }: { drawn: readonly Drawn[]; at: number | undefined; text: (value: number) => string; left: boolean }) {
  if (at === undefined) return null;
  const values = drawn.flatMap((d) => {
    const near = nearest(d.points, at);
    return near === null ? [] : [{ name: d.name, value: near, color: d.color }];
  });
  if (values.length === 0) return null;
  return (
    <span className="readout values" data-side={left ? "left" : "right"} aria-hidden="true">
      {values.slice(0, MAX_NAMES).map(({ name, value, color }) => (
        <span key={color} className="readout-value">
          <span className={`swatch s${(color % 8) + 1}`} />
          <bdi>{name}</bdi> <span className="num">{text(value)}</span>
        </span>
      ))}
    </span>
  );
}

function nearest(points: readonly [number, number | null][], at: number): number | null {
  let best: number | null = null;
  let distance = 15_000;
  for (const [time, value] of points) {
    const d = Math.abs(time - at);
    if (value !== null && d < distance) [best, distance] = [value, d];
  }
  return best;
}

function worstText(drawn: readonly Drawn[], metric: Metric, text: (value: number) => string): string {
  const values = drawn.flatMap((d) => d.points.flatMap(([, v]) => (v === null ? [] : [v])));
  if (values.length === 0) return callTexts.noSamples;
  return text(metric === "bitrate_bps" ? Math.min(...values) : Math.max(...values));
}
