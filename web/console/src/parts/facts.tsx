import { Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { dayClock, dayTime, utc } from "../api/times";
import { commonTexts } from "../texts/common";
import "./facts.css";

export type VerdictName = "good" | "poor" | "unknown";

/** A verdict as a word with a shape and a colour, never a colour alone. */
export function Verdict({ verdict }: { verdict: VerdictName }) {
  return (
    <span className={`verdict ${verdict}`}>
      <Shape kind={verdict} />
      {commonTexts.verdict[verdict]}
    </span>
  );
}

/** A small shape: filled for what is sure, hollow for what isn't. */
export function Shape({ kind }: { kind: VerdictName | "held" | "due" | "overdue" }) {
  return (
    <svg className={`shape ${kind}`} viewBox="0 0 12 12" width="10" height="10" aria-hidden="true" focusable="false">
      {kind === "good" && <circle cx="6" cy="6" r="5" />}
      {(kind === "poor" || kind === "overdue") && <path d="M6 0.4 11.6 6 6 11.6 0.4 6Z" />}
      {kind === "unknown" && <circle cx="6" cy="6" r="4.2" fill="none" strokeWidth="1.6" />}
      {kind === "held" && <rect x="1.4" y="1.4" width="9.2" height="9.2" rx="1.5" />}
      {kind === "due" && <path d="M6 1 11.5 10.8H0.5Z" />}
    </svg>
  );
}

/** An instant in the reader's zone, with UTC on hover. */
export function Time({ at, seconds = false }: { at: string | null | undefined; seconds?: boolean }) {
  if (!at) return <span className="quiet">{commonTexts.notKnown}</span>;
  const date = new Date(at);
  return (
    <time dateTime={at} title={utc(date)} className="num">
      {seconds ? dayClock(date) : dayTime(date)}
    </time>
  );
}

/** A text that may be long or hostile: isolated from the direction of what is around it, cut in the middle, whole on hover. */
export function Name({ text, strong = false }: { text: string; strong?: boolean }) {
  const points = Array.from(text);
  const tail = points.length > 16 ? points.slice(-8).join("") : "";
  const head = tail === "" ? text : points.slice(0, -8).join("");
  return (
    <bdi className={strong ? "name strong" : "name"} title={text}>
      <span className="name-head">{head}</span>
      {tail !== "" && <span className="name-tail">{tail}</span>}
    </bdi>
  );
}

/** A word in a small frame. */
export function Chip({ tone = "plain", children }: { tone?: "plain" | VerdictName | "held" | "due" | "overdue" | "accent"; children: ReactNode }) {
  return <span className={`chip ${tone}`}>{children}</span>;
}

/** An explanation that is one hover, or one tab key, away. */
export function Why({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <Tooltip label={text} events={{ hover: true, focus: true, touch: true }}>
      <span className="why" tabIndex={0}>
        {children}
      </span>
    </Tooltip>
  );
}

/** A figure with its name; `tone` only where the figure calls for it. */
export function Figure({ label, value, note, tone, onClick }: { label: string; value: ReactNode; note?: ReactNode; tone?: "poor" | "held" | "due" | undefined; onClick?: () => void }) {
  const inside = (
    <>
      <span className="figure-label">{label}</span>
      <span className={tone ? `figure-value ${tone}` : "figure-value"}>{value}</span>
      {note !== undefined && <span className="figure-note">{note}</span>}
    </>
  );
  return onClick ? (
    <button type="button" className="figure" onClick={onClick}>
      {inside}
    </button>
  ) : (
    <div className="figure">{inside}</div>
  );
}
