import { Chip, Name } from "../parts/facts";
import { useDrag } from "../parts/drag";
import { clock, hourMinute, span } from "../api/times";
import { callTexts } from "../texts/calls";
import type { Line, Span } from "./people";
import { type Window, ticks } from "./window";

interface Props {
  lines: readonly Line[];
  window: Window;
  zoom: (window: Window) => void;
  focus: string | undefined;
}

/** Who was there when: a line per participant, and what stood in the way. Dragging zooms. */
export function Gantt({ lines, window, zoom, focus }: Props) {
  const width = window.to - window.from;
  const { marked, hover, handlers } = useDrag({
    left: 0,
    right: 0,
    chosen: (range) => zoom({ from: window.from + range.from * width, to: window.from + range.to * width }),
  });
  const short = width < 600_000;
  const at = (time: number): number => ((time - window.from) / width) * 100;
  return (
    <figure className="gantt" aria-label={callTexts.gantt}>
      <div className="gantt-axis" aria-hidden="true">
        {labelled(ticks(window, 5).map((tick) => ({ tick, at: at(tick) }))).map(({ tick, at }) => (
          <span key={tick} style={{ left: `${at}%` }} data-edge={edgeOf(at)}>
            {short ? clock(new Date(tick)) : hourMinute(new Date(tick))}
          </span>
        ))}
      </div>
      <ul className="gantt-names">
        {lines.map((line) => (
          <li key={line.id} data-focus={line.id === focus || undefined}>
            <Name text={line.name} />
            {line.guest && <Chip>{callTexts.external}</Chip>}
            <span className="sr">{line.spans.map((s) => spanText(s)).join("; ")}</span>
          </li>
        ))}
      </ul>
      <div className="gantt-lines" {...handlers}>
        {lines.map((line) => (
          <div key={line.id} className="gantt-line" data-focus={line.id === focus || undefined}>
            {line.spans.map((s, i) => {
              const [left, right] = [Math.max(0, at(s.from)), Math.min(100, at(s.to))];
              if (right <= 0 || left >= 100) return null;
              return <span key={i} className={`gantt-span ${s.kind}`} style={{ left: `${left}%`, width: `${Math.max(0.2, right - left)}%` }} title={spanText(s)} />;
            })}
          </div>
        ))}
        {hover !== undefined && <span className="cursor" style={{ left: `${hover * 100}%` }} />}
        {marked && <span className="zoom-marked" style={{ left: `${marked.from * 100}%`, width: `${(marked.to - marked.from) * 100}%` }} />}
      </div>
      <figcaption className="row small quiet gantt-legend">
        {(["lobby", "in_call", "sharing", "muted", "reconnecting", "device"] as const)
          .filter((kind) => lines.some((line) => line.spans.some((s) => s.kind === kind)))
          .map((kind) => (
            <span key={kind} className="row tight">
              <span className={`gantt-span sample ${kind}`} aria-hidden="true" />
              {callTexts.legend[kind]}
            </span>
          ))}
      </figcaption>
    </figure>
  );
}

/** Labels at the ends of the axis stand within it. */
export function edgeOf(percent: number): "start" | "end" | undefined {
  if (percent < 5) return "start";
  return percent > 92 ? "end" : undefined;
}

/** Ticks whose labels don't run into each other: one that is moved in from the end needs more room before it. */
export function labelled<T extends { at: number }>(all: readonly T[]): T[] {
  return all.filter(({ at }, i) => edgeOf(at) !== "end" || at - (all[i - 1]?.at ?? -100) > 34);
}

function spanText(s: Span): string {
  return `${s.text}: ${clock(new Date(s.from))} – ${clock(new Date(s.to))} (${span(s.to - s.from)})`;
}
