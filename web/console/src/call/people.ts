import type { Participant, Presence, TimelineEntry } from "../api/analytics";
import { callTexts } from "../texts/calls";

const ANONYMOUS = "Anonymous";

/** Names within one call: people of the organisation by theirs, everybody else as Anonymous 1, 2 … in order of arrival. */
export type People = (id: string | null | undefined, label?: string | null) => string;

export function peopleOf(participants: readonly Participant[], presence: readonly Presence[]): People {
  const names = new Map<string, string>();
  let guests = 0;
  for (const p of participants) names.set(p.participant_id, p.label === ANONYMOUS ? `${ANONYMOUS} ${++guests}` : p.label);
  for (const p of presence) names.set(p.participant_id, p.number === undefined ? p.label : `${ANONYMOUS} ${p.number}`);
  return (id, label) => (id ? (names.get(id) ?? label ?? ANONYMOUS) : "");
}

export type SpanKind = Presence["spans"][number]["state"];

/** A stretch of time of one participant, ms. */
export interface Span {
  kind: SpanKind;
  from: number;
  to: number;
  text: string;
}

/** What one line of the chart of participants shows. */
export interface Line {
  id: string;
  name: string;
  guest: boolean;
  spans: Span[];
}

/** What is drawn over what. */
const ORDER: readonly SpanKind[] = ["lobby", "in_call", "sharing", "muted", "reconnecting", "device"];

/** The lines of the chart of participants; what has no end that is known goes on to `to`. */
export function linesOf(presence: readonly Presence[], to: number, people: People): Line[] {
  return presence.map((p) => ({
    id: p.participant_id,
    name: people(p.participant_id, p.label),
    guest: p.kind !== "org_user",
    spans: p.spans
      .map((s): Span => ({ kind: s.state, from: Date.parse(s.from), to: s.to ? Date.parse(s.to) : to, text: spanName(s.state, s.detail) }))
      .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind)),
  }));
}

function spanName(state: SpanKind, detail: string | null): string {
  const name = callTexts.legend[state] ?? state;
  return detail === null ? name : `${name} (${detail})`;
}

/** Whether an entry tells of something that went wrong. */
export function isBad(e: TimelineEntry): boolean {
  if (e.kind === "diagnostic") return e.value === "Bad" || e.value === "Poor" || e.value === "True";
  return e.name === "ConnectionLost" || (e.result !== null && e.result !== "Succeeded" && e.result !== "Success");
}
