import type { Call, Issue, Reason, Stream } from "../api/analytics";
import { span } from "../api/times";
import { Shape, Time, Verdict, Why } from "../parts/facts";
import { Go } from "../parts/go";
import { diagnosticText, reasonText, ruleText, valueName } from "../parts/reasons";
import { Empty } from "../parts/states";
import { DataTable, type Column } from "../parts/table";
import { callTexts } from "../texts/calls";
import type { People } from "./people";
import { zoomState } from "./window";

interface Props {
  call: Call;
  issues: readonly Issue[];
  streams: readonly Stream[];
  people: People;
  focus: string | undefined;
}

/** What went wrong, the issues of whoever the support code names first. */
export function IssueList({ call, issues, streams, people, focus }: Props) {
  if (issues.length === 0) {
    return <Empty title={callTexts.noIssues}>{call.verdict === "unknown" ? callTexts.noIssuesUnknown : callTexts.noIssuesText}</Empty>;
  }
  const sorted = [...issues].sort((a, b) => Number(b.participant_id === focus) - Number(a.participant_id === focus));
  return (
    <ol className="issues">
      {sorted.map((issue, i) => (
        <IssueLine key={i} call={call} issue={issue} stream={streams.find((s) => s.stream_id === issue.stream_id)} people={people} focused={focus !== undefined && issue.participant_id === focus} />
      ))}
    </ol>
  );
}

function IssueLine({ call, issue, stream, people, focused }: { call: Call; issue: Issue; stream: Stream | undefined; people: People; focused: boolean }) {
  const [worst, ...others] = worstFirst(issue.reasons);
  return (
    <li className="issue" data-focus={focused || undefined}>
      <Shape kind="poor" />
      <div className="stack tight grow">
        <p>
          <strong className="issue-what">{worst ? <Cause reason={worst} /> : issue.kind === "unexpected_end" ? valueName(issue.name) : diagnosticText(issue.name)}</strong> <bdi>{whereText(issue, stream, people)}</bdi>
        </p>
        {others.length > 0 && (
          <p className="small issue-also">
            {callTexts.also("")}
            {others.map((reason, i) => (
              <span key={i}>
                {i > 0 && ", "}
                <Cause reason={reason} />
              </span>
            ))}
          </p>
        )}
        <p className="row small quiet">
          {issue.started_at && <Time at={issue.started_at} seconds />}
          {sided(issue) && <span>{callTexts.likelySide(sideText(issue, stream))}</span>}
          <Go to={`/calls/${call.call_id}`} state={evidence(issue)}>
            {callTexts.showOnTimeline}
          </Go>
        </p>
      </div>
    </li>
  );
}

/** The rule that judged is one hover away. */
function Cause({ reason }: { reason: Reason }) {
  return <Why text={ruleText(reason)}>{reasonText(reason)}</Why>;
}

/** How many times over, or under, its threshold a value is: what is furthest off is named first. */
function worstFirst(reasons: readonly Reason[]): Reason[] {
  const off = (r: Reason): number => {
    if (r.value === null || r.threshold === null) return 0;
    const [small, large] = [Math.min(r.value, r.threshold), Math.max(r.value, r.threshold)];
    return large / Math.max(small, 1e-9);
  };
  return reasons.toSorted((a, b) => off(b) - off(a));
}

/** on video to Anonymous 2 for 3 min 10 s */
function whereText(issue: Issue, stream: Stream | undefined, people: People): string {
  const who = people(issue.participant_id, issue.participant_label);
  const lasted = issue.started_at && issue.ended_at ? callTexts.forSpan(span(Date.parse(issue.ended_at) - Date.parse(issue.started_at))) : "";
  if (stream) return callTexts.onStream(callTexts.stream(stream.media, stream.direction, who)) + lasted;
  return who === "" ? lasted : `(${who})${lasted}`;
}

/** Whether a side stands out. */
const sided = (issue: Issue): boolean => issue.likely_side !== null && issue.likely_side !== "none";

function sideText(issue: Issue, stream: Stream | undefined): string {
  if (issue.likely_side === "sender_uplink" && stream) return stream.direction === "outbound" ? callTexts.ownUplink : callTexts.sendersUplink;
  return callTexts.sides[issue.likely_side ?? ""] ?? issue.likely_side ?? "";
}

/** Where on the timeline the evidence is: the stretch with some air around it. */
function evidence(issue: Issue): Record<string, string | undefined> {
  const state: Record<string, string | undefined> = { tab: "timeline", stream: issue.stream_id ?? undefined, participant: issue.participant_id ?? undefined };
  if (!issue.started_at) return state;
  const from = Date.parse(issue.started_at);
  const to = issue.ended_at ? Date.parse(issue.ended_at) : from + 30_000;
  const air = Math.max(5000, (to - from) * 0.1);
  return { ...state, ...zoomState({ from: from - air, to: to + air }) };
}

const issueText = (issue: Issue): string => (issue.kind === "diagnostic" ? diagnosticText(issue.name, issue.text) : issue.text);

interface Row {
  issue: Issue;
  stream: Stream | undefined;
  who: string;
}

/** All issues as a table, with the rule of each. */
export function IssueTable({ call, issues, streams, people }: Omit<Props, "focus">) {
  const rows: Row[] = issues.map((issue) => ({
    issue,
    stream: streams.find((s) => s.stream_id === issue.stream_id),
    who: people(issue.participant_id, issue.participant_label),
  }));
  const columns: Column<Row>[] = [
    { id: "at", header: callTexts.columns.start, value: (r) => r.issue.started_at, cell: (r) => <Time at={r.issue.started_at} seconds /> },
    { id: "who", header: callTexts.columns.who, value: (r) => r.who, cell: (r) => <bdi>{r.who}</bdi> },
    {
      id: "what",
      header: callTexts.columns.why,
      wide: true,
      value: (r) => (r.issue.reasons.length > 0 ? r.issue.reasons.map(reasonText).join(", ") : issueText(r.issue)),
      cell: (r) => (
        <Go to={`/calls/${call.call_id}`} state={evidence(r.issue)} title={r.issue.text}>
          {r.issue.reasons.length > 0 ? r.issue.reasons.map(reasonText).join(", ") : issueText(r.issue)}
        </Go>
      ),
    },
    { id: "media", header: callTexts.call_columns.stream, value: (r) => (r.stream ? `${valueName(r.stream.media)}, ${valueName(r.stream.direction)}` : valueName(r.issue.name)) },
    { id: "lasted", header: callTexts.columns.length, right: true, value: (r) => (r.issue.started_at && r.issue.ended_at ? Date.parse(r.issue.ended_at) - Date.parse(r.issue.started_at) : null), cell: (r) => (r.issue.started_at && r.issue.ended_at ? span(Date.parse(r.issue.ended_at) - Date.parse(r.issue.started_at)) : "") },
    { id: "side", header: callTexts.columns.side, value: (r) => r.issue.likely_side, cell: (r) => (sided(r.issue) ? valueName(r.issue.likely_side) : "") },
    { id: "rule", header: callTexts.rule, hidden: true, value: (r) => r.issue.reasons.map(ruleText).join(" "), cell: (r) => r.issue.reasons.length > 0 && <Why text={r.issue.reasons.map(ruleText).join(" ")}>{r.issue.reasons[0]?.source}</Why> },
  ];
  return (
    <DataTable<Row>
      label={`${callTexts.issuesTitle} ${call.call_id}`}
      title={<Verdict verdict={call.verdict} />}
      columns={columns}
      rows={rows}
      rowId={(r) => `${r.issue.kind}/${r.issue.name}/${r.issue.stream_id ?? r.issue.participant_id ?? ""}/${r.issue.started_at ?? ""}`}
      open={(r) => ({ to: `/calls/${call.call_id}`, state: evidence(r.issue) })}
      empty={<Empty title={callTexts.noIssues}>{call.verdict === "unknown" ? callTexts.noIssuesUnknown : callTexts.noIssuesText}</Empty>}
    />
  );
}
