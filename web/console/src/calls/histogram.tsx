import { useQuery } from "@tanstack/react-query";
import { type Group, qualityQuery } from "../api/analytics";
import { type Filters, windowOf } from "../api/filters";
import { count } from "../api/figures";
import { dayTime, steps } from "../api/times";
import { useDrag } from "../parts/drag";
import { callTexts } from "../texts/calls";

const HOUR = 3_600_000;

interface Bar {
  at: number;
  calls: number;
  poor: number;
}

/** Poor calls over time as small bars; dragging over them zooms. */
export function Histogram({ filters, zoom }: { filters: Filters; zoom: (from: string, to: string) => void }) {
  const { from, to } = windowOf(filters);
  const unit = to - from > 8 * 24 * HOUR ? "day" : "hour";
  const answer = useQuery({ ...qualityQuery(filters, unit), retry: false });
  const bars = answer.data ? barsOf(answer.data.groups, from, to, unit) : [];
  const { marked, handlers } = useDrag({
    left: 0,
    right: 0,
    chosen: (range) => zoom(new Date(from + range.from * (to - from)).toISOString(), new Date(from + range.to * (to - from)).toISOString()),
  });
  if (answer.error) return null;
  const most = Math.max(1, ...bars.map((b) => b.poor));
  const total = bars.reduce((sum, b) => ({ calls: sum.calls + b.calls, poor: sum.poor + b.poor }), { calls: 0, poor: 0 });
  return (
    <figure className="histogram">
      <div className="histogram-bars" role="img" aria-label={callTexts.histogram(count(total.calls), count(total.poor))} {...handlers}>
        {bars.map((b) => (
          <span key={b.at} className="histogram-bar" title={callTexts.bar(dayTime(new Date(b.at)), count(b.calls), count(b.poor))}>
            <span className={b.poor > 0 ? "poor" : b.calls > 0 ? "some" : ""} style={{ height: b.poor > 0 ? `${Math.max(12, (b.poor / most) * 100)}%` : b.calls > 0 ? "3px" : 0 }} />
          </span>
        ))}
        {marked && <span className="histogram-marked" style={{ left: `${marked.from * 100}%`, width: `${(marked.to - marked.from) * 100}%` }} />}
      </div>
      <figcaption className="small quiet">
        {unit === "hour" ? callTexts.poorPerHour : callTexts.poorPerDay}: {callTexts.dragToZoom}
      </figcaption>
    </figure>
  );
}

function barsOf(groups: readonly Group[], from: number, to: number, unit: "hour" | "day"): Bar[] {
  const found = new Map(groups.map((g) => [Date.parse(g.key[unit] ?? ""), g]));
  return steps(unit, from, to).map((at) => ({ at, calls: found.get(at)?.calls ?? 0, poor: found.get(at)?.calls_poor ?? 0 }));
}
