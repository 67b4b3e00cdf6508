import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { type Comparison, type Stream, type Totals, compareQuery, streamsQuery } from "../api/analytics";
import { bitrate, count, ms, percent } from "../api/figures";
import { length } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Go } from "../parts/go";
import { metricName, valueName } from "../parts/reasons";
import { Panel, Screen } from "../parts/screen";
import { Empty, Loaded, Trouble, Waiting } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { qualityTexts } from "../texts/quality";
import "./compare.css";

const texts = qualityTexts.compare;
const DAY = 86_400_000;
const PERIODS = ["a_from", "a_to", "b_from", "b_to"] as const;

/** What is different? */
export function Compare() {
  const [search, change] = useAddress();
  const calls = search["by"] === "calls" || search["a_call"] !== undefined;
  const wanted = calls ? { a_call: search["a_call"], b_call: search["b_call"] } : Object.fromEntries(PERIODS.map((name) => [name, search[name]]));
  const ready = Object.values(wanted).every((value) => value !== undefined);
  const answer = useQuery(compareQuery(wanted, ready));
  return (
    <Screen title={texts.title} question={texts.question} actions={<Share />}>
      <SegmentedControl
        size="xs"
        className="fit"
        aria-label={texts.what}
        value={calls ? "calls" : "periods"}
        onChange={(value) => change({ by: value === "calls" ? "calls" : undefined, a_call: undefined, b_call: undefined, a_from: undefined, a_to: undefined, b_from: undefined, b_to: undefined })}
        data={[{ value: "periods", label: texts.periods }, { value: "calls", label: texts.calls }]}
      />
      <Panel title={texts.what}>{calls ? <CallFields /> : <PeriodFields />}</Panel>
      {ready ? <Loaded query={answer}>{(found) => (calls ? <CallDifference found={found} a={wanted["a_call"] ?? ""} b={wanted["b_call"] ?? ""} /> : <Difference found={found} />)}</Loaded> : <Empty title={texts.hintTitle}>{texts.hint}</Empty>}
    </Screen>
  );
}

function CallFields() {
  const [search, change] = useAddress();
  const [a, setA] = useState(search["a_call"] ?? "");
  const [b, setB] = useState(search["b_call"] ?? "");
  useEffect(() => {
    setA(search["a_call"] ?? "");
    setB(search["b_call"] ?? "");
  }, [search]);
  // Of a support code the part before the slash is the call.
  const id = (text: string): string | undefined => text.trim().split("/")[0] || undefined;
  return (
    <form className="stack tight" onSubmit={(event) => { event.preventDefault(); change({ by: "calls", a_call: id(a), b_call: id(b) }); }}>
      <div className="row">
        <TextInput className="compare-call" label={`${texts.a}: ${texts.call}`} value={a} onChange={(e) => setA(e.currentTarget.value)} required spellCheck={false} />
        <TextInput className="compare-call" label={`${texts.b}: ${texts.call}`} value={b} onChange={(e) => setB(e.currentTarget.value)} required spellCheck={false} />
      </div>
      <div className="row"><Button type="submit" variant="filled">{texts.run}</Button></div>
    </form>
  );
}

/** Periods as the ends of A and B, B being the later one. */
function presetOf(days: number): Record<string, string> {
  const end = Math.ceil(Date.now() / DAY) * DAY;
  const at = (ms: number): string => new Date(ms).toISOString();
  return { a_from: at(end - 2 * days * DAY), a_to: at(end - days * DAY), b_from: at(end - days * DAY), b_to: at(end) };
}

function PeriodFields() {
  const [search, change] = useAddress();
  const [values, setValues] = useState<Record<string, string>>({});
  const local = (name: string): string => values[name] ?? (search[name] ? toLocal(search[name]) : "");
  const field = (name: (typeof PERIODS)[number], label: string) => (
    <TextInput key={name} type="datetime-local" label={label} value={local(name)} onChange={(e) => setValues({ ...values, [name]: e.currentTarget.value })} required />
  );
  return (
    <form className="stack tight" onSubmit={(event) => { event.preventDefault(); change(Object.fromEntries(PERIODS.map((name) => [name, new Date(local(name)).toISOString()]))); }}>
      <div className="row">
        {([["days", 1], ["weeks", 7], ["months", 30]] as const).map(([name, days]) => <Button key={name} onClick={() => { setValues({}); change(presetOf(days)); }}>{texts.presets[name]}</Button>)}
      </div>
      <div className="row">
        {field("a_from", `${texts.a}: ${texts.from}`)}
        {field("a_to", `${texts.a}: ${texts.to}`)}
        {field("b_from", `${texts.b}: ${texts.from}`)}
        {field("b_to", `${texts.b}: ${texts.to}`)}
      </div>
      <div className="row"><Button type="submit" variant="filled">{texts.run}</Button></div>
    </form>
  );
}

/** An instant as a field for local times has it. */
function toLocal(at: string): string {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

interface Row {
  /** Of the figure, which says its unit. */
  name: string;
  label: string;
  a: number | null;
  b: number | null;
  difference: number | null;
}

/** Two calls: besides the counts what the network did, by medium and direction. */
function CallDifference({ found, a, b }: { found: Comparison; a: string; b: string }) {
  const [ours, theirs] = [useQuery(streamsQuery(a)), useQuery(streamsQuery(b))];
  const failed = [ours, theirs].find((q) => q.error);
  if (failed) return <Trouble error={failed.error} retry={() => void failed.refetch()} />;
  if (!ours.data || !theirs.data) return <Waiting rows={8} />;
  const more = meansOf(ours.data, theirs.data);
  const title = (
    <span className="row">
      {([["a", a], ["b", b]] as const).map(([side, id]) => <Go key={side} to={`/calls/${id}`}>{`${texts.columns[side]}: ${id.slice(0, 8)}…`}</Go>)}
    </span>
  );
  return <Difference found={found} more={more} title={title} />;
}

const MEANS = ["loss_ratio", "jitter_ms_avg", "rtt_ms_avg", "bitrate_avg"] as const;

/** Means over the streams of a kind, of those that either call has. */
function meansOf(a: readonly Stream[], b: readonly Stream[]): Row[] {
  const rows: Row[] = [];
  for (const media of ["audio", "video", "screen"] as const) {
    for (const direction of ["outbound", "inbound"] as const) {
      for (const metric of MEANS) {
        const [x, y] = [a, b].map((streams) => mean(streams.filter((s) => s.media === media && s.direction === direction).map((s) => s[metric])));
        if (x === undefined || y === undefined || (x === null && y === null)) continue;
        rows.push({ name: metric, label: texts.mean(metricName(metric), valueName(media), valueName(direction)), a: x, b: y, difference: x === null || y === null ? null : y - x });
      }
    }
  }
  return rows;
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((v) => v !== null);
  return known.length === 0 ? null : known.reduce((sum, v) => sum + v, 0) / known.length;
}

function Difference({ found, more = [], title }: { found: Comparison; more?: readonly Row[]; title?: ReactNode }) {
  const [a, b] = [flat(found.a), flat(found.b)];
  const names = Object.keys(texts.figures).filter((name) => typeof a[name] === "number" || typeof b[name] === "number");
  const counted = names.map((name): Row => ({ name, label: texts.figures[name] ?? name, a: a[name] ?? null, b: b[name] ?? null, difference: found.difference[name] ?? (a[name] !== undefined && b[name] !== undefined ? b[name] - a[name] : null) }));
  const columns: Column<Row>[] = [
    { id: "figure", header: texts.columns.figure, wide: true, sortable: false, value: (r) => r.label },
    { id: "a", header: texts.columns.a, right: true, sortable: false, value: (r) => r.a, cell: (r) => valueText(r.name, r.a) },
    { id: "b", header: texts.columns.b, right: true, sortable: false, value: (r) => r.b, cell: (r) => valueText(r.name, r.b) },
    { id: "difference", header: texts.columns.difference, right: true, sortable: false, value: (r) => r.difference, cell: (r) => differenceText(r.name, r.difference) },
  ];
  return <DataTable<Row> narrow label={texts.title} title={title} columns={columns} rows={[...more, ...counted]} rowId={(r) => r.label} />;
}

function flat(side: Totals): Record<string, number | undefined> {
  const out: Record<string, number | undefined> = {};
  for (const [name, value] of Object.entries(side)) if (typeof value === "number") out[name] = value;
  return out;
}

function valueText(name: string, value: number | null): string {
  if (value === null) return "–";
  if (name.endsWith("_ratio")) return percent(value);
  if (name.endsWith("_ms_avg")) return ms(value);
  if (name === "bitrate_avg") return bitrate(value);
  return name.endsWith("_ms") ? length(value) : count(value);
}

function differenceText(name: string, value: number | null): string {
  if (value === null || value === 0) return value === null ? "–" : "±0";
  const sign = value > 0 ? "+" : "−";
  const size = Math.abs(value);
  return sign + (name.endsWith("_ratio") ? `${(size * 100).toFixed(1)} points` : valueText(name, size));
}
