import type { Call } from "../api/analytics";
import { length } from "../api/times";
import { Chip, Name, Time, Verdict } from "../parts/facts";
import { Go } from "../parts/go";
import { reasonText, valueName } from "../parts/reasons";
import type { Column } from "../parts/table";
import { callTexts } from "../texts/calls";

const names = callTexts.columns;

/** What a call is called in lists. */
export function callName(call: Call): string {
  return call.meeting_title || callTexts.callOf(call.kind, call.source !== "media");
}

/** Who was in a call: people of the organisation by name, everybody else counted. */
export function whoText(call: Call): string {
  const people = call.who.users.map((u) => u.label);
  if (call.who.anonymous > 0) people.push(callTexts.anonymous(call.who.anonymous));
  return people.length > 0 ? people.join(", ") : callTexts.participants(call.participants);
}

/** The one cause that a line has room for. */
export function whyText(call: Call): string {
  return call.top_reason ? reasonText(call.top_reason) : "";
}

/** The columns of calls, in their order; those that are hidden can be chosen. */
export const callColumns: Column<Call>[] = [
  { id: "started_at", header: names.start, value: (c) => c.started_at ?? c.first_seen_at, cell: (c) => <Time at={c.started_at ?? c.first_seen_at} seconds /> },
  {
    id: "meeting",
    header: names.meeting,
    sortable: false,
    value: callName,
    cell: (c) => (
      <Go to={`/calls/${c.call_id}`}>
        <Name text={callName(c)} />
      </Go>
    ),
  },
  { id: "who", header: names.who, sortable: false, value: whoText, cell: (c) => <Name text={whoText(c)} /> },
  { id: "duration_ms", header: names.length, right: true, value: (c) => c.duration_ms, cell: (c) => (c.duration_ms === null ? <span className="quiet">{callTexts.runs}</span> : <span className="num">{length(c.duration_ms)}</span>) },
  { id: "verdict", header: names.verdict, sortable: false, value: (c) => c.verdict, cell: (c) => <Verdict verdict={c.verdict} /> },
  { id: "why", header: names.why, sortable: false, wide: true, value: whyText, cell: (c) => (whyText(c) === "" ? "" : <span title={c.reasons.map((r) => r.text).join("\n")}>{whyText(c)}</span>) },
  { id: "side", header: names.side, sortable: false, value: (c) => c.likely_side, cell: (c) => (c.likely_side && c.likely_side !== "none" ? valueName(c.likely_side) : "") },
  { id: "issues", header: names.issues, right: true, hidden: true, value: (c) => c.issues.total },
  { id: "poor_streams", header: names.streams, right: true, hidden: true, value: (c) => c.streams.poor },
  { id: "state", header: names.state, sortable: false, hidden: true, value: (c) => c.state, cell: (c) => <Chip>{callTexts.states[c.state] ?? c.state}</Chip> },
  { id: "recorded", header: names.recorded, sortable: false, hidden: true, value: (c) => c.recorded, cell: (c) => (c.recorded ? valueName("true") : "") },
  { id: "tags", header: names.tags, sortable: false, hidden: true, value: (c) => c.tags.join(" "), cell: (c) => <span className="row tight">{c.tags.map((tag) => <Chip key={tag}>{tag}</Chip>)}</span> },
  { id: "sites", header: names.site, sortable: false, hidden: true, value: (c) => c.sites.join(", ") },
  { id: "region", header: names.region, sortable: false, hidden: true, value: (c) => c.region },
  { id: "rating", header: names.rating, sortable: false, hidden: true, value: (c) => (c.rating === "unknown" ? "" : c.rating) },
  { id: "source", header: names.source, sortable: false, hidden: true, value: (c) => valueName(c.source) },
  { id: "call_id", header: names.id, sortable: false, hidden: true, value: (c) => c.call_id, cell: (c) => <code>{c.call_id}</code> },
];
