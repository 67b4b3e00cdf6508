import { useMemo } from "react";
import { type LiveCall, isRunning } from "../api/live";
import { ms, percent } from "../api/figures";
import { clock, length, span } from "../api/times";
import { Share } from "../parts/copy";
import { Figure, Name, Time, Verdict } from "../parts/facts";
import { Go } from "../parts/go";
import { reasonText } from "../parts/reasons";
import { Screen } from "../parts/screen";
import { Empty, Waiting } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { qualityTexts } from "../texts/quality";
import { type LiveState, useLive } from "./use-live";
import "./live.css";

const texts = qualityTexts.live;

/** Which calls go badly just now? */
export function Live() {
  const { answer, at, state, problem } = useLive();
  const running = useMemo(() => answer?.calls.filter(isRunning) ?? [], [answer]);
  const ended = useMemo(() => answer?.calls.filter((c) => !isRunning(c)) ?? [], [answer]);
  const poor = running.filter((c) => c.verdict === "poor").length;
  return (
    <Screen title={texts.title} question={texts.question} actions={<><Connection state={state} at={at} /><Share /></>}>
      <p className="quiet live-text">{texts.text}</p>
      {(state === "lost" || problem !== undefined) && <p className="warn" role="alert">{problem ?? texts.lost}</p>}
      {answer === undefined ? (
        state === "connecting" && <Waiting rows={6} />
      ) : (
        <>
          <div className="figures">
            <Figure label={texts.running} value={running.length} />
            <Figure label={texts.poor} value={poor} tone={poor > 0 ? "poor" : undefined} />
            <Figure label={texts.ended} value={ended.length} />
          </div>
          <DataTable<LiveCall> label={texts.running} title={<h2>{texts.running}</h2>} columns={columns} rows={running} rowId={(c) => c.call_id} open={place} empty={<Empty title={texts.none}>{texts.noneText}</Empty>} />
          {ended.length > 0 && <DataTable<LiveCall> label={texts.endedTitle} title={<h2>{texts.endedTitle}</h2>} columns={endedColumns} rows={ended} rowId={(c) => c.call_id} open={place} />}
        </>
      )}
    </Screen>
  );
}

const place = (c: LiveCall) => ({ to: `/calls/${c.call_id}` });

function Connection({ state, at }: { state: LiveState; at: string | undefined }) {
  const text = state === "open" ? texts.connected : texts.connecting;
  return (
    <span className="freshness" data-state={state === "open" ? "complete" : "lagging"} role="status">
      <span className="num">{at ? `${text} · ${texts.at(clock(new Date(at)))}` : text}</span>
      <span className="dot" aria-hidden="true" />
    </span>
  );
}

const people = (c: LiveCall): string => c.users.map((u) => u.label).join(", ");
const why = (c: LiveCall): string => (c.reasons[0] ? reasonText(c.reasons[0]) : "");
const figure = (id: "jitter_ms" | "loss_ratio" | "rtt_ms", header: string, text: (value: number) => string): Column<LiveCall> => ({
  id, header, right: true, value: (c) => c[id], cell: (c) => { const value = c[id]; return value === null ? commonTexts.notKnown : text(value); },
});

const columns: Column<LiveCall>[] = [
  { id: "started_at", header: texts.columns.since, value: (c) => c.started_at, cell: (c) => <Time at={c.started_at} seconds /> },
  { id: "people", header: texts.columns.people, value: people, cell: (c) => <Go {...place(c)}><Name text={people(c)} /></Go> },
  {
    id: "length", header: callTexts.columns.length, right: true, value: (c) => lasted(c),
    cell: (c) => (isRunning(c) ? span(lasted(c)) : length(lasted(c))),
  },
  { id: "verdict", header: texts.columns.now, value: (c) => c.verdict, cell: (c) => <Verdict verdict={c.verdict} /> },
  { id: "why", header: callTexts.columns.why, wide: true, value: why },
  figure("loss_ratio", texts.mean(callTexts.call_columns.loss), percent),
  figure("jitter_ms", texts.mean(callTexts.call_columns.jitter), ms),
  figure("rtt_ms", texts.mean(callTexts.call_columns.rtt), ms),
  { id: "call_id", header: callTexts.columns.id, hidden: true, value: (c) => c.call_id, cell: (c) => <code>{c.call_id}</code> },
];

/** What has ended has a verdict, and none just now. */
const endedColumns = columns.map((c) => (c.id === "verdict" ? { ...c, header: callTexts.columns.verdict } : c));

const lasted = (c: LiveCall): number => Math.max(0, (c.ended_at ? Date.parse(c.ended_at) : Date.now()) - Date.parse(c.started_at));
