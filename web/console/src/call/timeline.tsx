import { SegmentedControl } from "@mantine/core";
import { useMemo } from "react";
import type { TimelineEntry } from "../api/analytics";
import { count } from "../api/figures";
import { clock, hourMinute } from "../api/times";
import { useAddress } from "../frame/search-state";
import { useDrag } from "../parts/drag";
import { Shape, Time } from "../parts/facts";
import { Panel } from "../parts/screen";
import { Empty } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import { edgeOf, labelled } from "./gantt";
import { type CallParts, ChartsPanel, GanttPanel } from "./overview";
import { type People, isBad } from "./people";
import { type Window, ticks } from "./window";

const LANES = ["call", "audio", "video", "screen", "network", "unknown"] as const;

/** What happened when, by lane, with the participants and the charts on the same axis. */
export function TimelineTab(parts: CallParts) {
  const { timeline, window, zoom, people } = parts;
  const [search, change] = useAddress();
  const bad = search["events"] === "bad";
  const who = search["participant"];
  const entries = useMemo(
    () => timeline.entries.filter((e) => (!bad || isBad(e)) && (who === undefined || e.participant_id === who)),
    [timeline.entries, bad, who],
  );
  const within = useMemo(() => entries.filter((e) => inside(e, window)), [entries, window]);
  return (
    <div className="stack">
      <div className="row">
        <SegmentedControl
          size="xs"
          aria-label={callTexts.timelineTitle}
          value={bad ? "bad" : "all"}
          onChange={(value) => change({ events: value === "bad" ? "bad" : undefined }, { replace: true })}
          data={[{ value: "all", label: callTexts.allKinds }, { value: "bad", label: callTexts.onlyBad }]}
        />
        {who !== undefined && (
          <span className="filter-chip">
            <button type="button" onClick={() => change({ participant: undefined }, { replace: true })} title={callTexts.remove(people(who))}>
              <bdi>{people(who)}</bdi> ×
            </button>
          </span>
        )}
      </div>
      <Panel title={callTexts.timelineTitle} tools={<span className="small quiet">{callTexts.entries(count(within.length))}</span>}>
        <Lanes entries={entries} window={window} zoom={zoom} people={people} />
      </Panel>
      <GanttPanel {...parts} />
      <ChartsPanel {...parts} />
      <EventTable entries={within} people={people} cut={timeline.cut} />
    </div>
  );
}

function inside(e: TimelineEntry, { from, to }: Window): boolean {
  const at = Date.parse(e.observed_at);
  return at >= from && at <= to;
}

/** Events as marks in lanes; what went wrong has another shape. */
function Lanes({ entries, window, zoom, people }: { entries: readonly TimelineEntry[]; window: Window; zoom: (window: Window) => void; people: People }) {
  const width = window.to - window.from;
  const { marked, hover, handlers } = useDrag({ left: 0, right: 0, chosen: (r) => zoom({ from: window.from + r.from * width, to: window.from + r.to * width }) });
  const at = (time: number): number => ((time - window.from) / width) * 100;
  const lanes = LANES.filter((lane) => lane !== "unknown" || entries.some((e) => e.lane === "unknown"));
  return (
    <div className="gantt lanes">
      <div className="gantt-axis" aria-hidden="true">
        {labelled(ticks(window, 6).map((tick) => ({ tick, at: at(tick) }))).map(({ tick, at }) => (
          <span key={tick} style={{ left: `${at}%` }} data-edge={edgeOf(at)}>
            {width < 600_000 ? clock(new Date(tick)) : hourMinute(new Date(tick))}
          </span>
        ))}
      </div>
      <ul className="gantt-names">
        {lanes.map((lane) => (
          <li key={lane}>{callTexts.lanes[lane]}</li>
        ))}
      </ul>
      <div className="gantt-lines" {...handlers}>
        {lanes.map((lane) => (
          <div key={lane} className="gantt-line">
            {entries
              .filter((e) => e.lane === lane && inside(e, window))
              .map((e, i) => (
                <span key={i} className={isBad(e) ? "lane-mark bad" : `lane-mark ${e.kind}`} style={{ left: `${at(Date.parse(e.observed_at))}%` }} title={`${clock(new Date(e.observed_at))} ${people(e.participant_id, e.participant_label)} ${eventText(e)}`} />
              ))}
          </div>
        ))}
        {hover !== undefined && <span className="cursor" style={{ left: `${hover * 100}%` }} />}
        {marked && <span className="zoom-marked" style={{ left: `${marked.from * 100}%`, width: `${(marked.to - marked.from) * 100}%` }} />}
      </div>
    </div>
  );
}

/** What is the same in most entries of a call, and told in files only. */
const FOR_FILES = new Set(["policy_revision"]);

/** An event in words: its name, its value, what else is known. */
export function eventText(e: TimelineEntry): string {
  const more = Object.entries(e.attributes).filter(([key]) => !FOR_FILES.has(key)).map(([key, value]) => `${key.replaceAll("_", " ")} ${value.replaceAll("_", " ")}`);
  const result = e.result && e.result !== "Succeeded" ? [`${e.result}${e.result_code === null ? "" : ` ${e.result_code}`}`] : [];
  return [e.value ? `${e.name}: ${e.value}` : e.name, ...result, ...more].join(", ");
}

export function EventTable({ entries, people, cut }: { entries: readonly TimelineEntry[]; people: People; cut: boolean }) {
  const columns: Column<TimelineEntry>[] = [
    { id: "at", header: callTexts.time, value: (e) => e.observed_at, cell: (e) => <Time at={e.observed_at} seconds /> },
    { id: "lane", header: callTexts.call_columns.lane, value: (e) => callTexts.lanes[e.lane] ?? e.lane },
    { id: "who", header: callTexts.columns.who, value: (e) => people(e.participant_id, e.participant_label), cell: (e) => <bdi>{people(e.participant_id, e.participant_label)}</bdi> },
    { id: "what", header: callTexts.call_columns.event, wide: true, value: eventText, cell: (e) => <span className="row tight nowrap">{isBad(e) && <Shape kind="poor" />}<bdi title={eventText(e)}>{eventText(e)}</bdi></span> },
    { id: "kind", header: callTexts.call_columns.kind, value: (e) => e.kind },
    { id: "participant_id", header: callTexts.call_columns.participant_id, hidden: true, value: (e) => e.participant_id, cell: (e) => <code>{e.participant_id}</code> },
  ];
  return (
    <DataTable<TimelineEntry>
      label={callTexts.raw.timeline}
      title={<span className="small quiet">{cut ? callTexts.timelineCut(count(entries.length)) : callTexts.entries(count(entries.length))}</span>}
      columns={columns}
      rows={entries}
      rowId={(e) => `${e.observed_at}/${e.participant_id ?? ""}/${e.name}/${e.operation_id ?? ""}/${entries.indexOf(e)}`}
      empty={<Empty title={callTexts.noEvents} />}
    />
  );
}
