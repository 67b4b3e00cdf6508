import { Button, Checkbox, Radio, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { body, client } from "../api/client";
import { type Filters, filtersOf, windowOf } from "../api/filters";
import { type ExportInput, exportsQuery, ofCalls, ofClasses } from "../api/retention";
import "../calls/calls.css";
import { CallFilterChips, narrowing, zoneOf } from "../calls/filter-chips";
import { useAddress } from "../frame/search-state";
import { useGo } from "../parts/go";
import { Trouble } from "../parts/states";
import { keepTexts } from "../texts/keep";

const texts = keepTexts.reports;
const KINDS: readonly ExportInput["kind"][] = ["retention", "notices", "changes", "held_content", "calls", "participants", "streams"];
const FORMATS = ["csv", "parquet", "pdf"] as const;

const DAY = 86_400_000;
const dayText = (at: Date): string => at.toISOString().slice(0, 10);

/** The ranges that are asked for most, as days in UTC. */
function ranges(now = new Date()): { name: string; from: string; to: string }[] {
  const [y, m, d] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const at = (...parts: [number, number, number]): string => dayText(new Date(Date.UTC(...parts)));
  return [
    { name: texts.thisMonth, from: at(y, m, 1), to: at(y, m, d + 1) },
    { name: texts.lastMonth, from: at(y, m - 1, 1), to: at(y, m, 1) },
    { name: texts.last90, from: at(y, m, d - 90), to: at(y, m, d + 1) },
  ];
}

/** The days in UTC that a window of the list of calls touches, if the address has one. */
function daysOf(filters: Filters): { from: string; to: string } | undefined {
  if (filters.from === undefined && filters.last === undefined) return undefined;
  const { from, to } = windowOf(filters);
  return { from: dayText(new Date(from)), to: dayText(new Date(Math.ceil(to / DAY) * DAY)) };
}

/** The filters that are numbers. */
const NUMBERS = /_s$|^hour_of_day$|^weekday$/;

/** The address's filters of calls as a report takes them. */
function filterOf(filters: Filters): NonNullable<ExportInput["filter"]> {
  const value = (name: string, text: string): string | number | boolean => (name === "recorded" ? text === "true" : NUMBERS.test(name) ? Number(text) : text);
  return { ...Object.fromEntries(narrowing(filters).map((name) => [name, value(name, filters[name] ?? "")])), ...zoneOf(filters) };
}

/** Asks for a report; the job's own screen shows how far it is. */
export function NewReport({ kind: wanted }: { kind: string | undefined }) {
  const [search] = useAddress();
  const filters = useMemo(() => filtersOf(search, null), [search]);
  const offered = ranges();
  const [kind, setKind] = useState<ExportInput["kind"]>(KINDS.find((k) => k === wanted) ?? "retention");
  const days = daysOf(filters) ?? offered[0];
  const [from, setFrom] = useState(days?.from ?? "");
  const [to, setTo] = useState(days?.to ?? "");
  const [region, setRegion] = useState("");
  const [classes, setClasses] = useState<string[]>([]);
  const [formats, setFormats] = useState<string[]>([...FORMATS]);
  const [reason, setReason] = useState("");
  const key = useRef(crypto.randomUUID());
  const go = useGo();
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => {
      const input: ExportInput = {
        kind, from: `${from}T00:00:00Z`, to: `${to}T00:00:00Z`, formats: formats as NonNullable<ExportInput["formats"]>,
        ...(region.trim() !== "" && { region: region.trim() }),
        ...(reason.trim() !== "" && { reason: reason.trim() }),
        ...(ofCalls(kind) && narrowing(filters).length > 0 && { filter: filterOf(filters) }),
        ...(classes.length > 0 && ofClasses(kind) && { classes: classes as NonNullable<ExportInput["classes"]> }),
      };
      return body(client.POST("/v1/exports", { params: { header: { "Idempotency-Key": key.current } }, body: input }));
    },
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: exportsQuery.queryKey });
      go({ to: `/reports/${made.export_id}` });
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate();
      }}
      onChange={() => (key.current = crypto.randomUUID())}
    >
      <Radio.Group label={texts.kind} value={kind} onChange={(value) => setKind(value as ExportInput["kind"])}>
        <div className="stack tight report-kinds">{KINDS.map((k) => <Radio key={k} value={k} label={texts.kinds[k]} description={texts.kindHints[k]} />)}</div>
      </Radio.Group>
      <div className="stack tight">
        <strong>{texts.range}</strong>
        <div className="row tight">
          {offered.map((r) => <Button key={r.name} size="compact-sm" variant={r.from === from && r.to === to ? "light" : "default"} onClick={() => { setFrom(r.from); setTo(r.to); }}>{r.name}</Button>)}
        </div>
        <div className="row nowrap">
          <TextInput type="date" label={texts.from} value={from} onChange={(e) => setFrom(e.currentTarget.value)} required className="grow" />
          <TextInput type="date" label={texts.to} value={to} onChange={(e) => setTo(e.currentTarget.value)} required className="grow" />
        </div>
      </div>
      <TextInput label={texts.region} description={texts.regionHint} value={region} onChange={(e) => setRegion(e.currentTarget.value)} maxLength={32} />
      {ofClasses(kind) && (
        <Checkbox.Group label={texts.classes} description={texts.classesHint} value={classes} onChange={setClasses}>
          <div className="row report-checks">{Object.entries(keepTexts.classNames).map(([value, label]) => <Checkbox key={value} value={value} label={label} />)}</div>
        </Checkbox.Group>
      )}
      {ofCalls(kind) && (
        <div className="stack tight" role="group" aria-label={texts.calls}>
          <strong>{texts.calls}</strong>
          <div className="row filters"><CallFilterChips filters={filters} /></div>
          {narrowing(filters).length === 0 && <p className="small quiet">{texts.callsHint}</p>}
        </div>
      )}
      <Checkbox.Group label={texts.formats} value={formats} onChange={setFormats}>
        <div className="row report-checks">{FORMATS.map((f) => <Checkbox key={f} value={f} label={f.toUpperCase()} />)}</div>
      </Checkbox.Group>
      <TextInput label={texts.reason} value={reason} onChange={(e) => setReason(e.currentTarget.value)} maxLength={500} required={kind === "held_content"} />
      {make.error && <Trouble error={make.error} wrote />}
      <Button type="submit" variant="filled" size="sm" loading={make.isPending}>{texts.make}</Button>
    </form>
  );
}
