/** Instants and lengths as people read them: in the reader's zone and language order, with UTC beside. */

/** The reader's time zone: hours and days are those of the reader. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const pad = (n: number): string => String(n).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 14:01:10 */
export function clock(at: Date): string {
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** 14:01 */
export function hourMinute(at: Date): string {
  return `${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** 23 Nov, or 23 Nov 2025 in another year. */
export function day(at: Date, now = new Date()): string {
  const text = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
  return at.getFullYear() === now.getFullYear() ? text : `${text} ${at.getFullYear()}`;
}

/** 23 Nov 14:01 */
export function dayTime(at: Date): string {
  return `${day(at)} ${hourMinute(at)}`;
}

/** 23 Nov 14:01:10 */
export function dayClock(at: Date): string {
  return `${day(at)} ${clock(at)}`;
}

/** 2026-11-23 14:01:10.042 UTC */
export function utc(at: Date): string {
  return `${at.toISOString().replace("T", " ").replace(/(\.000)?Z$/, "")} UTC`;
}

/** 18:22, or 1:02:03. */
export function length(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** 3 min 10 s: for sentences. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ""}`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h${Math.floor((seconds % 3600) / 60) ? ` ${Math.floor((seconds % 3600) / 60)} min` : ""}`;
  return `${Math.round(seconds / 86_400)} days`;
}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The length of a relative time such as 24h, in ms; undefined for what is none. */
export function lastMs(text: string | undefined): number | undefined {
  const found = /^(\d{1,4})([mhd])$/.exec(text ?? "");
  return found ? Number(found[1]) * UNITS[found[2] as keyof typeof UNITS] : undefined;
}

/** The beginning of each of the reader's days, or hours, that a window touches, ms; at most so many. */
export function steps(unit: "hour" | "day", from: number, to: number, most = 400): number[] {
  const at = new Date(from);
  at.setMinutes(0, 0, 0);
  if (unit === "day") at.setHours(0);
  const out: number[] = [];
  while (at.getTime() < to && out.length < most) {
    out.push(at.getTime());
    // Days of the calendar: those on which clocks change have 23 or 25 hours.
    if (unit === "day") at.setDate(at.getDate() + 1);
    else at.setTime(at.getTime() + 3_600_000);
  }
  return out;
}
