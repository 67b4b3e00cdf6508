import type { Call, Participant, Stream, TimelineEntry } from "../api/analytics";
import type { Search } from "../router";

/** A stretch of time, ms. */
export interface Window {
  from: number;
  to: number;
}

/** From the first to the last that is known of a call. */
export function wholeWindow(call: Call, participants: readonly Participant[], streams: readonly Stream[], entries: readonly TimelineEntry[]): Window {
  const known = [call.started_at, call.first_seen_at, call.ended_at];
  for (const p of participants) known.push(p.joined_at, p.left_at);
  for (const s of streams) known.push(s.started_at, s.ended_at);
  const first = entries[0];
  const last = entries.at(-1);
  if (first) known.push(first.observed_at);
  // Chat and decisions of the thread may come long after the call.
  if (last && call.ended_at === null) known.push(last.observed_at);
  const times = known.flatMap((at) => (at ? [Date.parse(at)] : []));
  const from = Math.min(...times);
  const to = call.ended_at === null ? Math.max(...times, from + 1000) : Math.max(Date.parse(call.ended_at), from + 1000, ...streams.flatMap((s) => (s.ended_at ? [Date.parse(s.ended_at)] : [])));
  return { from, to };
}

/** What of it the address zooms into. */
export function zoomedWindow(search: Search, whole: Window): Window {
  const [from, to] = [Date.parse(search["from"] ?? ""), Date.parse(search["to"] ?? "")];
  if (Number.isNaN(from) || Number.isNaN(to) || to - from < 1000) return whole;
  return { from, to };
}

/** A zoom as the address has it. */
export function zoomState(window: Window): { from: string; to: string } {
  return { from: new Date(Math.floor(window.from)).toISOString(), to: new Date(Math.ceil(window.to)).toISOString() };
}

/** Round instants for ticks of an axis. */
export function ticks({ from, to }: Window, most: number): number[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400].map((s) => s * 1000);
  const step = steps.find((s) => (to - from) / s <= most) ?? 86_400_000;
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const out: number[] = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) out.push(at);
  return out;
}
