import { Button, Select, Textarea } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type Decision, decisionQuery, decisionsQuery } from "../api/decisions";
import { type Evaluation, type Files, evaluate, format } from "../api/policies";
import { dayClock } from "../api/times";
import { EffectChip } from "../decisions/effect";
import { useAddress } from "../frame/search-state";
import { Go } from "../parts/go";
import { Empty, Trouble, Waiting } from "../parts/states";
import { decisionTexts } from "../texts/decisions";
import { policyTexts } from "../texts/policies";
import { qualified } from "./expression";
import { testName, withTest } from "./make-test";
import { type Input, TYPICAL, isOfKept } from "./typical";
import type { Work } from "./workspace";

const texts = policyTexts.evaluate;

/** How many recorded decisions are offered. */
const OFFERED = 50;

interface Asked {
  files: Files;
  query: string | undefined;
  /** What stands in the field of the input. */
  text: string;
  answer: Evaluation;
}

/** Lines that a decision was made by, by file, and the files that they are of. */
export interface Evaluated {
  files: Files;
  covered: Evaluation["covered"];
}

interface PaneProps {
  work: Work;
  path: string | undefined;
  selection: string;
  evaluated: (what: Evaluated) => void;
}

/** What the policy, as it is here, makes of one decision: as a whole, or of the expression that is selected. */
export function EvaluatePane({ work, path, selection, evaluated }: PaneProps) {
  const [search, change] = useAddress();
  const chosen = search["decision"] ?? "typical";
  const fixed = TYPICAL[chosen];
  const recorded = useQuery({ ...decisionQuery(work.org, chosen), enabled: fixed === undefined });
  const input = fixed ?? recorded.data?.input;
  return (
    <div className="pane">
      <Choice work={work} chosen={chosen} found={recorded.data} choose={(id) => change({ decision: id === "typical" ? undefined : id }, { replace: true })} />
      {fixed === undefined && recorded.error ? (
        <Trouble error={recorded.error} retry={() => void recorded.refetch()} />
      ) : input === undefined && recorded.isPending && fixed === undefined ? (
        <Waiting />
      ) : input === null || input === undefined ? (
        <Empty title={texts.none}>{decisionTexts.noInput}</Empty>
      ) : (
        <OnInput key={chosen} work={work} id={chosen} input={input} path={path} selection={selection} evaluated={evaluated} />
      )}
    </div>
  );
}

function Choice({ work, chosen, found, choose }: { work: Work; chosen: string; found: Decision | undefined; choose: (id: string) => void }) {
  const recent = useInfiniteQuery({ ...decisionsQuery(work.org, { last: "30d" }), retry: false });
  const listed = useMemo(() => recent.data?.pages.flatMap((p) => p.decisions).slice(0, OFFERED) ?? [], [recent.data]);
  const known = TYPICAL[chosen] !== undefined || listed.some((d) => d.decision_id === chosen);
  const items = [...listed, ...(known || !found ? [] : [found])].map((d) => ({ value: d.decision_id, label: shortOf(d) }));
  return (
    <div className="stack tight">
      <Select
        label={texts.choose}
        value={chosen}
        data={[
          { value: "typical", label: texts.typical },
          { value: "join", label: texts.typicalJoin },
          { value: "kept", label: texts.typicalKept },
          ...(items.length > 0 ? [{ group: decisionTexts.title, items }] : []),
        ]}
        onChange={(id) => id && choose(id)}
        searchable
        maxDropdownHeight={320}
      />
      <Go to="/decisions" className="small">{texts.more}</Go>
    </div>
  );
}

/** 23 Nov 14:01:10 use sendChat: Refused (policy_restricted) */
export function shortOf(d: Pick<Decision, "at" | "action" | "capability" | "effect" | "reasons">): string {
  const why = d.reasons.length > 0 ? ` (${d.reasons.join(", ")})` : "";
  return `${dayClock(new Date(d.at))} ${decisionTexts.of(d.action, d.capability)}: ${decisionTexts.effects[d.effect] ?? d.effect}${why}`;
}

function OnInput({ work, id, input, path, selection, evaluated }: PaneProps & { id: string; input: unknown }) {
  const first = useMemo(() => JSON.stringify(input, null, 2), [input]);
  const [text, setText] = useState(first);
  const parsed = parse(text);
  const query = selection.trim() === "" ? undefined : qualified(selection, (path && work.files[path]) || "");
  const run = useMutation({
    mutationFn: async (asked: string | undefined): Promise<Asked> => ({
      files: work.files,
      query: asked,
      text,
      // A recorded decision that wasn't touched is named, so that the service takes what it has.
      answer: await evaluate(work.org, { files: work.files }, text === first && TYPICAL[id] === undefined ? { decision_id: id } : { input: parsed ?? {} }, asked),
    }),
    onSuccess: ({ files, answer }) => evaluated({ files, covered: answer.covered }),
  });
  return (
    <>
      <details open={TYPICAL[id] === undefined}>
        <summary>{texts.input}</summary>
        <Textarea aria-label={texts.input} value={text} onChange={(e) => setText(e.currentTarget.value)} rows={12} spellCheck={false} error={parsed === undefined && texts.inputWrong} classNames={{ input: "code-input" }} />
      </details>
      <div className="row">
        <Button size="compact-sm" loading={run.isPending} disabled={parsed === undefined} onClick={() => run.mutate(undefined)}>{texts.run}</Button>
        <Button size="compact-sm" disabled={query === undefined || parsed === undefined || run.isPending} onClick={() => run.mutate(query)}>{texts.runSelection}</Button>
      </div>
      {query === undefined ? <p className="small quiet">{texts.selectHint}</p> : <code className="small selected-query" title={query}>{query}</code>}
      {run.error && <Trouble error={run.error} />}
      {run.data && <Answer asked={run.data} stale={run.data.files !== work.files || run.data.text !== text} />}
      {run.data && run.data.answer.error === "" && run.data.answer.killed === null && parsed && !isOfKept(parsed) && work.setFiles && <MakeTest work={work} id={id} input={parsed} of={run.data.answer} />}
    </>
  );
}

function parse(text: string): Input | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Input) : undefined;
  } catch {
    return undefined;
  }
}

function Answer({ asked, stale }: { asked: Asked; stale: boolean }) {
  const { answer, query } = asked;
  const withheld = byReason(answer.grants ?? {});
  if (answer.killed) return <p className="trouble" role="alert"><span><strong>{policyTexts.tests.killed(answer.killed.why)}</strong> {answer.killed.detail}</span></p>;
  return (
    <section className="answer" aria-label={texts.result} role="status">
      <div className="row"><h2 className="pane-title">{texts.result}</h2>{stale && <span className="small warn">{texts.stale}</span>}<span className="num small quiet">{texts.took(String(answer.took_us))}</span></div>
      {answer.error !== "" && <p className="trouble"><span><strong>{texts.failed}.</strong> {answer.error}</span></p>}
      {query !== undefined && answer.error === "" && (
        <>
          <p className="small quiet">{texts.value(query)}</p>
          <pre className="raw-value" tabIndex={0} role="region" aria-label={texts.value(query)}>{answer.value === undefined || answer.value === null ? texts.undefined : JSON.stringify(answer.value, null, 2)}</pre>
        </>
      )}
      {answer.kept && <Kept kept={answer.kept} />}
      {query === undefined && answer.error === "" && !answer.kept && (
        <dl className="facts">
          <dt>{texts.effect}</dt>
          <dd><EffectChip effect={answer.effect} /></dd>
          {answer.reasons.length > 0 && <><dt>{texts.reasons}</dt><dd>{answer.reasons.map((r) => <code key={r} className="list-code">{r}</code>)}</dd></>}
          {answer.rules.length > 0 && <><dt>{texts.rules}</dt><dd>{answer.rules.map((r) => <code key={r} className="list-code">{r}</code>)}</dd></>}
          {answer.obligations.length > 0 && <><dt>{texts.obligations}</dt><dd>{answer.obligations.join(", ")}</dd></>}
          <dt>{texts.withheld}</dt>
          <dd>{withheld.length === 0 ? texts.allGranted : <ul className="withheld">{withheld.map(([reason, names]) => <li key={reason}><code className="list-code">{reason}</code> <span className="small">{names.join(", ")}</span></li>)}</ul>}</dd>
        </dl>
      )}
      {answer.printed.length > 0 && <><p className="small quiet">{texts.printed}</p><pre className="raw-value" tabIndex={0} role="region" aria-label={texts.printed}>{answer.printed.join("\n")}</pre></>}
    </section>
  );
}

/** How long something is kept, and how long the rules of the house alone would keep it. */
function Kept({ kept }: { kept: NonNullable<Evaluation["kept"]> }) {
  const days = policyTexts.kept.days;
  return (
    <dl className="facts">
      <dt>{texts.kept}</dt>
      <dd><strong>{days(kept.days)}</strong> <span className="quiet">{texts.keptHouse(days(kept.house_days))}</span></dd>
      <dt>{texts.rules}</dt><dd><code className="list-code">{kept.rule}</code></dd>
      <dt>{texts.reasons}</dt><dd><code className="list-code">{kept.reason}</code></dd>
      {kept.failed !== undefined && <><dt /><dd className="warn">{texts.keptFailed(kept.failed)}</dd></>}
    </dl>
  );
}

/** Which capabilities are withheld, by the reason. */
function byReason(grants: NonNullable<Evaluation["grants"]>): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const [name, grant] of Object.entries(grants)) if (!grant.allowed) found.set(grant.reason ?? "", [...(found.get(grant.reason ?? "") ?? []), name]);
  return [...found];
}

/** Puts a test into the files that holds the organisation's rules to what they say of this decision. */
function MakeTest({ work, id, input, of }: { work: Work; id: string; input: Input; of: Evaluation }) {
  const [, change] = useAddress();
  const make = useMutation({
    mutationFn: async () => {
      const rules = await evaluate(work.org, { files: work.files }, { input: { ...input, capability: "" } }, "data.anteroom.organization");
      const action = String(input["action"] ?? "");
      const made = withTest(work.files, { name: testName(action, of.effect, id), input, rules: rules.value, effect: of.effect, reasons: of.reasons });
      const tidy = await format(work.org, made.files).catch(() => ({ files: {} }));
      return { ...made, files: { ...made.files, ...tidy.files } };
    },
    onSuccess: ({ files, name, file }) => {
      work.setFiles?.(files);
      const line = (files[file] ?? "").split("\n").findIndex((text) => text.startsWith(name)) + 1;
      change({ file, line: String(line) }, { replace: true });
    },
  });
  return (
    <div className="stack tight">
      <div className="row"><Button size="compact-sm" loading={make.isPending} onClick={() => make.mutate()}>{texts.makeTest}</Button></div>
      {make.error && <Trouble error={make.error} wrote />}
      {make.data && <p className="small" role="status">{texts.madeTest(make.data.name, make.data.file)}</p>}
    </div>
  );
}
