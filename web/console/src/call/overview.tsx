import { Button } from "@mantine/core";
import { IconZoomOut } from "@tabler/icons-react";
import type { Call, Issue, Participant, Presence, Stream, TimelineEntry } from "../api/analytics";
import { length } from "../api/times";
import { Time } from "../parts/facts";
import { Go } from "../parts/go";
import { valueName } from "../parts/reasons";
import { Panel } from "../parts/screen";
import { callTexts } from "../texts/calls";
import { Charts } from "./charts";
import { Gantt } from "./gantt";
import { IssueList } from "./issues";
import { type People, linesOf } from "./people";
import { Tags } from "./tags";
import type { Window } from "./window";

/** What the tabs of a call are made of. */
export interface CallParts {
  call: Call;
  participants: readonly Participant[];
  presence: readonly Presence[];
  streams: readonly Stream[];
  issues: readonly Issue[];
  timeline: { entries: readonly TimelineEntry[]; cut: boolean };
  people: People;
  whole: Window;
  window: Window;
  zoom: (window: Window) => void;
  zoomOut: () => void;
  focus: string | undefined;
}

/** Issue first, evidence beside and below it. */
export function Overview(parts: CallParts) {
  const { call, issues, streams, people, focus, participants } = parts;
  const known = participants.some((p) => p.participant_id === focus);
  return (
    <div className="stack">
      {focus !== undefined && <p className="focus-note">{known ? callTexts.focused(people(focus)) : callTexts.focusedUnknown}</p>}
      <div className="columns">
        <Panel title={`${callTexts.issuesTitle} ${issues.length > 0 ? issues.length : ""}`}>
          <IssueList call={call} issues={issues} streams={streams} people={people} focus={focus} />
        </Panel>
        <div className="stack">
          <GanttPanel {...parts} />
          <Panel title={callTexts.facts}>
            <Facts call={call} />
          </Panel>
        </div>
      </div>
      <ChartsPanel {...parts} />
    </div>
  );
}

export function GanttPanel({ presence, window, whole, zoom, zoomOut, people, focus }: CallParts) {
  return (
    <Panel title={`${callTexts.participantsTitle} ${presence.length}`} tools={<ZoomOut window={window} whole={whole} zoomOut={zoomOut} />}>
      <Gantt lines={linesOf(presence, whole.to, people)} window={window} zoom={zoom} focus={focus} />
    </Panel>
  );
}

export function ChartsPanel(parts: CallParts) {
  return (
    <Panel title={callTexts.charts} tools={<ZoomOut {...parts} />}>
      <Charts {...parts} />
    </Panel>
  );
}

function ZoomOut({ window, whole, zoomOut }: Pick<CallParts, "window" | "whole" | "zoomOut">) {
  if (window.from === whole.from && window.to === whole.to) return <span className="small quiet">{callTexts.chartsHint}</span>;
  return (
    <Button size="compact-sm" leftSection={<IconZoomOut size={14} stroke={1.75} />} onClick={zoomOut}>
      {callTexts.zoomOut}
    </Button>
  );
}

function Facts({ call }: { call: Call }) {
  const names = callTexts.fact;
  return (
    <dl className="facts">
      <dt>{names.started}</dt>
      <dd><Time at={call.started_at} seconds /></dd>
      <dt>{names.ended}</dt>
      <dd><Time at={call.ended_at} seconds /></dd>
      <dt>{names.length}</dt>
      <dd className="num">{call.duration_ms === null ? callTexts.runs : length(call.duration_ms)}</dd>
      <dt>{names.streams}</dt>
      <dd>{callTexts.streamsOf(call.streams.good, call.streams.poor, call.streams.unknown)}</dd>
      <dt>{names.rating}</dt>
      <dd>{call.rating === "unknown" || call.rating_score === null ? valueName("none") : callTexts.ratingOf(call.rating, call.rating_score.toFixed(1))}</dd>
      <dt>{names.kind}</dt>
      <dd>{valueName(call.kind)}</dd>
      <dt>{names.source}</dt>
      <dd>{valueName(call.source)}</dd>
      <dt>{names.region}</dt>
      <dd>{call.region}</dd>
      <dt>{names.profile}</dt>
      <dd>{valueName(call.profile)}</dd>
      {call.end_reason && (
        <>
          <dt>{names.end}</dt>
          <dd>{call.end_reason.replaceAll("_", " ")}</dd>
        </>
      )}
      {call.meeting_id && (
        <>
          <dt>{names.meeting}</dt>
          <dd><Go to="/calls" state={{ q: call.meeting_id }}><code>{call.meeting_id}</code></Go></dd>
        </>
      )}
      <dt>{names.tags}</dt>
      <dd><Tags call={call} /></dd>
      <dt>{names.call}</dt>
      <dd><code>{call.call_id}</code></dd>
    </dl>
  );
}
