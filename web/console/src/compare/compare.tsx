import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Comparison, type Totals, compareQuery } from "../api/analytics";
import { count, percent } from "../api/figures";
import { length } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Go } from "../parts/go";
import { Panel, Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { qualityTexts } from "../texts/quality";

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
      {ready ? <Loaded query={answer}>{(found) => <Difference found={found} calls={calls} wanted={wanted} />}</Loaded> : <Empty title={texts.hintTitle}>{texts.hint}</Empty>}
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
    <form className="row" onSubmit={(event) => { event.preventDefault(); change({ by: "calls", a_call: id(a), b_call: id(b) }); }}>
      <TextInput className="grow" label={`${texts.a}: ${texts.call}`} value={a} onChange={(e) => setA(e.currentTarget.value)} required spellCheck={false} />
      <TextInput className="grow" label={`${texts.b}: ${texts.call}`} value={b} onChange={(e) => setB(e.currentTarget.value)} required spellCheck={false} />
      <Button type="submit" variant="filled" mt={24}>{texts.run}</Button>
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
        <Button type="submit" variant="filled" mt={24}>{texts.run}</Button>
      </div>
    </form>
  );
}

/** An instant as a field for local times has it. */
function toLocal(at: string): string {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

interface Row {
  name: string;
  a: number | null;
  b: number | null;
  difference: number | null;
}

function Difference({ found, calls, wanted }: { found: Comparison; calls: boolean; wanted: Record<string, string | undefined> }) {
  const [a, b] = [flat(found.a), flat(found.b)];
  const names = Object.keys(texts.figures).filter((name) => typeof a[name] === "number" || typeof b[name] === "number");
  const rows: Row[] = names.map((name) => ({ name, a: a[name] ?? null, b: b[name] ?? null, difference: found.difference[name] ?? (a[name] !== undefined && b[name] !== undefined ? (b[name] as number) - (a[name] as number) : null) }));
  const head = (side: "a" | "b"): string => (side === "a" ? texts.columns.a : texts.columns.b);
  const columns: Column<Row>[] = [
    { id: "figure", header: texts.columns.figure, wide: true, sortable: false, value: (r) => texts.figures[r.name] ?? r.name },
    { id: "a", header: head("a"), right: true, sortable: false, value: (r) => r.a, cell: (r) => valueText(r.name, r.a) },
    { id: "b", header: head("b"), right: true, sortable: false, value: (r) => r.b, cell: (r) => valueText(r.name, r.b) },
    { id: "difference", header: texts.columns.difference, right: true, sortable: false, value: (r) => r.difference, cell: (r) => differenceText(r.name, r.difference) },
  ];
  return (
    <DataTable<Row>
      label={texts.title}
      title={calls && <span className="row">{(["a", "b"] as const).map((side) => <Go key={side} to={`/calls/${wanted[`${side}_call`] ?? ""}`}>{`${head(side)}: ${wanted[`${side}_call`]?.slice(0, 8) ?? ""}…`}</Go>)}</span>}
      columns={columns}
      rows={rows}
      rowId={(r) => r.name}
    />
  );
}

function flat(side: Totals): Record<string, number | undefined> {
  const out: Record<string, number | undefined> = {};
  for (const [name, value] of Object.entries(side)) if (typeof value === "number") out[name] = value;
  return out;
}

function valueText(name: string, value: number | null): string {
  if (value === null) return "–";
  if (name.endsWith("_ratio")) return percent(value);
  return name.endsWith("_ms") ? length(value) : count(value);
}

function differenceText(name: string, value: number | null): string {
  if (value === null || value === 0) return value === null ? "–" : "±0";
  const sign = value > 0 ? "+" : "−";
  const size = Math.abs(value);
  return sign + (name.endsWith("_ratio") ? `${(size * 100).toFixed(1)} points` : valueText(name, size));
}
