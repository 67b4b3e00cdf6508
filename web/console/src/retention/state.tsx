import { useQuery } from "@tanstack/react-query";
import { count } from "../api/figures";
import { type RetentionState, checkpointQuery, stateQuery } from "../api/retention";
import { useHas } from "../api/session";
import { clock, day, span } from "../api/times";
import { Chart } from "../parts/chart";
import type { ChartOption, Look } from "../parts/echarts";
import { Chip, Figure, Shape } from "../parts/facts";
import { Go } from "../parts/go";
import { Panel } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";

const texts = keepTexts.retention;
type ClassState = RetentionState["classes"][number];
/** So many days are drawn. */
const DAYS = 45;

/** Figures, what falls due, and the newest proof. Overdue and unknown are never hidden. */
export function State() {
  const state = useQuery(stateQuery);
  return <Loaded query={state} rows={8}>{(s) => <Shown state={s} />}</Loaded>;
}

function Shown({ state }: { state: RetentionState }) {
  const sum = (of: (c: ClassState) => number): number => state.classes.reduce((total, c) => total + of(c), 0);
  const [overdue, unknown, held, waiting] = [sum((c) => c.overdue), sum((c) => c.unknown), sum((c) => c.held), sum((c) => c.waiting)];
  const mayProve = useHas("admin", "auditor");
  const away = state.regions.filter((r) => !r.complete).map((r) => r.region);
  return (
    <div className="stack">
      {away.length > 0 && <p className="warn"><Shape kind="due" /> {texts.incomplete(away.join(", "))}</p>}
      <div className="figures">
        <Figure label={texts.stored} value={count(sum((c) => c.stored))} note={texts.storedNote} />
        <Figure label={texts.held} value={count(held)} note={texts.heldNote} tone={held > 0 ? "held" : undefined} />
        <Figure label={texts.dueToday} value={count(sum((c) => c.due_today))} note={waiting > 0 ? texts.waiting(count(waiting)) : undefined} />
        <Figure label={texts.overdue} value={<>{overdue > 0 && <Shape kind="overdue" />} {count(overdue)}</>} note={texts.overdueNote(span(state.overdue_after_s * 1000))} tone={overdue > 0 ? "poor" : undefined} />
        <Figure label={texts.purged} value={count(sum((c) => c.purged_this_month))} />
        <Figure label={texts.unknown} value={<>{unknown > 0 && <Shape kind="overdue" />} {count(unknown)}</>} note={texts.unknownNote} tone={unknown > 0 ? "poor" : undefined} />
      </div>
      {mayProve && <Proof regions={state.regions.map((r) => r.region)} />}
      <Panel title={texts.chart} tools={<span className="small quiet num">{[state.after_days > 0 ? texts.later(count(state.after_days)) : "", sum((c) => c.for_good) > 0 ? texts.forGood(count(sum((c) => c.for_good))) : ""].filter(Boolean).join(" · ")}</span>}>
        <Due state={state} />
      </Panel>
      <ByClass state={state} />
    </div>
  );
}

/** Last checkpoint #8,412, 14:00:07, signed */
function Proof({ regions }: { regions: readonly string[] }) {
  return (
    <ul className="panel proofs">
      {regions.map((region) => <CheckpointLine key={region} region={region} />)}
    </ul>
  );
}

function CheckpointLine({ region }: { region: string }) {
  const checkpoint = useQuery(checkpointQuery(region));
  return (
    <li className="row proof">
      <span className="quiet">{region}</span>
      {checkpoint.data ? (
        <>
          <span>{texts.checkpoint} <strong className="num">#{count(checkpoint.data.size)}</strong>, <span className="num">{clock(new Date(checkpoint.data.at))}</span></span>
          <Chip tone="good"><Shape kind="good" /> {keepTexts.ledger.signed}</Chip>
        </>
      ) : (
        <span className="quiet">{checkpoint.error ? keepTexts.ledger.none : ""}</span>
      )}
      <Go to="/ledger" state={{ region }} className="proof-how">{texts.howToVerify}</Go>
    </li>
  );
}

function Due({ state }: { state: RetentionState }) {
  const days = nextDays(state.at);
  const of = (name: string): { things: number; held: number } => state.days.filter((d) => d.day === name).reduce((t, d) => ({ things: t.things + d.things, held: t.held + d.held }), { things: 0, held: 0 });
  const rows = days.map((name) => ({ name, ...of(name) }));
  const total = rows.reduce((t, r) => t + r.things, 0);
  const held = rows.reduce((t, r) => t + r.held, 0);
  if (total === 0) return <p className="quiet">{texts.chartNone}</p>;
  return <Chart height={200} label={texts.chartAria(count(total), count(held))} option={(look) => dueOption(look, rows)} deps={[state]} />;
}

function nextDays(at: string): string[] {
  const start = Date.parse(`${at.slice(0, 10)}T00:00:00Z`);
  return Array.from({ length: DAYS }, (_, i) => new Date(start + i * 86_400_000).toISOString().slice(0, 10));
}

/** A day without its year: 45 days leave no doubt. */
function dayOf(name: string): string {
  const at = new Date(`${name}T00:00:00`);
  return day(at, at);
}

/** Bars per day (UTC); what is held is hatched, and stays. */
function dueOption(look: Look, rows: readonly { name: string; things: number; held: number }[]): ChartOption {
  const axis = { color: look.quiet, fontSize: 11, fontFamily: look.font };
  return {
    animation: false,
    grid: { left: 48, right: 8, top: 8, bottom: 24, outerBoundsMode: "none" },
    xAxis: { type: "category", data: rows.map((r) => dayOf(r.name)), axisLabel: { ...axis, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: look.border } } },
    yAxis: { type: "value", min: 0, minInterval: 1, splitNumber: 3, axisLabel: axis, splitLine: { lineStyle: { color: look.border, opacity: 0.6 } } },
    series: [
      { type: "bar", stack: "due", data: rows.map((r) => r.things - r.held), itemStyle: { color: look.due }, barCategoryGap: "30%", silent: true },
      {
        type: "bar", stack: "due", data: rows.map((r) => r.held), silent: true,
        itemStyle: { color: look.held, decal: { symbol: "rect", color: look.page, dashArrayX: [1, 0], dashArrayY: [3, 3], rotation: -Math.PI / 4 } },
      },
    ],
  };
}

function ByClass({ state }: { state: RetentionState }) {
  const figure = (id: keyof ClassState, header: string): Column<ClassState> => ({ id, header, right: true, value: (c) => c[id], cell: (c) => <span className={(id === "overdue" || id === "unknown") && c[id] > 0 ? "verdict poor" : undefined}>{count(c[id] as number)}</span> });
  const columns: Column<ClassState>[] = [
    { id: "class", header: texts.columns.kind, wide: true, value: (c) => keepTexts.classNames[c.class] ?? c.class },
    figure("stored", texts.stored), figure("held", texts.held), figure("due_today", texts.dueToday), figure("overdue", texts.overdue),
    figure("purged_this_month", texts.purged), figure("unknown", texts.unknown),
  ];
  return <DataTable<ClassState> compact label={texts.byClass} title={<h2>{texts.byClass}</h2>} columns={columns} rows={state.classes} rowId={(c) => c.class} empty={<Empty title={texts.chartNone} />} />;
}
