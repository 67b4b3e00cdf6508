import { Button } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useState } from "react";
import type { FileCoverage, Ranges, TestCase, TestResult } from "../api/policies";
import { count } from "../api/figures";
import { Chip } from "../parts/facts";
import { Empty, Trouble } from "../parts/states";
import { policyTexts } from "../texts/policies";
import { inWords } from "./problem";
import { greenOf } from "./steps";
import type { Work } from "./workspace";

const texts = policyTexts.tests;

type Open = (file: string, line?: number) => void;

/** The tests of the policy, which fail and why, and how much of the rules they cover. */
export function TestsPane({ work, open }: { work: Work; open: Open }) {
  const { steps } = work;
  const result = steps.tests?.value;
  return (
    <div className="pane">
      <div className="row">
        <Button size="compact-sm" leftSection={<IconPlayerPlay size={14} stroke={1.75} />} loading={steps.testing} onClick={() => void steps.test().catch(() => undefined)}>{texts.run}</Button>
        {result && steps.testsStale && <span className="small warn">{texts.stale}</span>}
      </div>
      {steps.testError !== null && <Trouble error={steps.testError} />}
      {result ? <Result result={result} work={work} open={open} /> : !steps.testing && steps.testError === null && <Empty title={texts.none}>{texts.noneText}</Empty>}
    </div>
  );
}

/** Whole numbers and, where it matters, one digit more: 79.6 % is not 80 %. */
export const percentText = (value: number): string => `${Number.isInteger(value) ? value : (Math.floor(value * 10) / 10).toFixed(1)} %`;

function Result({ result, work, open }: { result: TestResult; work: Work; open: Open }) {
  const failed = result.tests.filter((t) => t.outcome === "fail" || t.outcome === "error");
  const passed = result.tests.filter((t) => t.outcome === "pass").length;
  if (result.killed) return <p className="trouble" role="alert"><span><strong>{texts.killed(result.killed.why)}</strong> {result.killed.detail}</span></p>;
  const enough = result.coverage.percent >= result.bar;
  return (
    <>
      <div className="stack tight" role="status">
        {result.tests.length > 0 && (
          <p className="row tight">
            <Chip tone={failed.length === 0 ? "good" : "poor"}>{failed.length === 0 ? "✓" : "✗"}</Chip>
            <strong>{texts.summary(count(passed), count(failed.length))}</strong>
          </p>
        )}
        <p className="row tight nowrap small">
          <Chip tone={enough ? "good" : "poor"}>{enough ? "✓" : "✗"}</Chip>
          <span>{texts.coverage(percentText(result.coverage.percent), percentText(result.bar))}</span>
        </p>
        {greenOf(result) ? null : result.diagnostics.map((d, i) => <p key={i} className="small"><code>{d.file}:{d.line}</code> {inWords(d.message)}</p>)}
      </div>
      {result.tests.length === 0 ? <Empty title={texts.empty}>{texts.emptyText}</Empty> : (
        <ul className="tests">{[...failed, ...result.tests.filter((t) => !failed.includes(t))].map((t) => <Case key={`${t.package}.${t.name}`} of={t} work={work} open={open} />)}</ul>
      )}
      <Coverage files={result.coverage.files} open={open} />
    </>
  );
}

function Case({ of, work, open }: { of: TestCase; work: Work; open: Open }) {
  const bad = of.outcome === "fail" || of.outcome === "error";
  const [shown, setShown] = useState(bad);
  return (
    <li className="test">
      <div className="row tight nowrap">
        <Chip tone={bad ? "poor" : of.outcome === "pass" ? "good" : "unknown"}>{texts.outcome[of.outcome] ?? of.outcome}</Chip>
        <button type="button" className="plain-button grow left" onClick={() => open(of.file, of.line)} title={policyTexts.openAt(of.file, of.line)}><bdi className="test-name">{of.name}</bdi></button>
        {bad && <Button size="compact-xs" aria-label={texts.runOne(of.name)} loading={work.steps.testing} onClick={() => void work.steps.test(`^data\\.${of.package.replace(/^data\./, "").replaceAll(".", "\\.")}\\.${of.name}$`).catch(() => undefined)}>{texts.again}</Button>}
      </div>
      {of.message !== "" && <p className="small test-message">{of.message}</p>}
      {bad && of.trace.length > 0 && (
        <details open={shown} onToggle={(e) => setShown(e.currentTarget.open)}>
          <summary className="small">{texts.trace}</summary>
          <pre className="trace" tabIndex={0} role="region" aria-label={`${texts.trace}: ${of.name}`}>{of.trace.join("\n")}</pre>
        </details>
      )}
    </li>
  );
}

const rangesText = (ranges: Ranges): string => ranges.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");

function Coverage({ files, open }: { files: Record<string, FileCoverage>; open: Open }) {
  const names = Object.keys(files).sort();
  if (names.length === 0) return null;
  return (
    <section aria-label={texts.byFile}>
      <h2 className="pane-title">{texts.byFile}</h2>
      <ul className="stack tight">
        {names.map((name) => {
          const of = files[name];
          if (!of) return null;
          const first = of.not_covered[0];
          return (
            <li key={name} className="small">
              <button type="button" className="plain-button left" onClick={() => open(name, first?.[0])}>
                <bdi className="editor-path">{name}</bdi> <span className="num">{percentText(of.percent)}</span>
              </button>
              <span className="quiet">{first ? texts.missed(rangesText(of.not_covered)) : texts.allCovered}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
