import { Button, Tabs } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconWand } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Suspense, lazy, useCallback, useMemo, useState } from "react";
import { type Diagnostic, type Files, format, referenceQuery } from "../api/policies";
import { useAddress } from "../frame/search-state";
import { Empty, Trouble, Waiting } from "../parts/states";
import { policyTexts as texts } from "../texts/policies";
import { DiffPane } from "./diff-pane";
import type { LinesOf } from "./editor/marks";
import { type Evaluated, EvaluatePane } from "./evaluate-pane";
import { BaseList, BaseText, baseFile } from "./base";
import { FileList } from "./files";
import { inWords } from "./problem";
import { ReplayPane } from "./replay-pane";
import { TestsPane } from "./tests-pane";
import type { Work } from "./workspace";

// The editor is large, and only who opens a policy needs it.
const Editor = lazy(() => import("./editor/editor"));

const NONE: readonly Diagnostic[] = [];
const NOTHING: Files = {};

/** Files at the left, the text in the middle, what it does at the right. */
export function Rules({ work }: { work: Work }) {
  const [search, change] = useAddress();
  const reference = useQuery(referenceQuery(work.org));
  const base = reference.data?.base.files ?? NOTHING;
  const paths = useMemo(() => Object.keys(work.files).sort(), [work.files]);
  const asked = search["file"] ?? "";
  const path = work.files[asked] !== undefined ? asked : paths[0];
  const shown = baseFile(asked, base);
  const open = useCallback((file: string, line?: number) => change({ file, line: line === undefined ? undefined : String(line) }, { replace: true }), [change]);
  const [selection, setSelection] = useState("");
  const [evaluated, setEvaluated] = useState<Evaluated>();
  // The lines of one decision are shown beside its answer, those that the tests covered otherwise.
  const ofDecision = search["pane"] === "evaluate" && evaluated?.files === work.files ? evaluated.covered : undefined;
  return (
    <div className="workbench">
      <FileList work={work} paths={paths} path={shown === undefined ? path : undefined} open={open}>
        <BaseList files={base} path={shown} open={open} />
      </FileList>
      <div className="editor-column">
        {shown !== undefined ? <BaseText path={shown} text={base[shown] ?? ""} reference={reference.data} select={setSelection} /> : path === undefined ? <Empty title={texts.noFiles}>{work.setFiles ? texts.noFilesText : texts.noFilesHere}</Empty> : <Text work={work} path={path} open={open} select={setSelection} ofDecision={ofDecision} />}
      </div>
      <Panes work={work} path={path} selection={selection} open={open} evaluated={setEvaluated} />
    </div>
  );
}

/** The formatted files, except for those that were changed while they were being formatted. */
const taken = (now: Files, asked: Files, made: Files): Files => ({ ...now, ...Object.fromEntries(Object.entries(made).filter(([file]) => now[file] === asked[file])) });

interface TextProps {
  work: Work;
  path: string;
  open: (file: string, line?: number) => void;
  select: (text: string) => void;
  /** Lines by file that the decision of the pane was made by. */
  ofDecision: Evaluated["covered"] | undefined;
}

function Text({ work, path, open, select, ofDecision }: TextProps) {
  const [search, change] = useAddress();
  const { org, files, setFiles, steps, save, goOn } = work;
  const reference = useQuery(referenceQuery(org));
  const formatted = useMutation({ mutationFn: () => format(org, files), onSuccess: (made) => setFiles?.((before) => taken(before, files, made.files)) });
  const all = steps.checked?.diagnostics ?? NONE;
  const problems = useMemo(() => all.filter((d) => d.file === path), [all, path]);
  const tested = steps.testsStale ? undefined : steps.tests?.value.coverage.files[path];
  const coverage = useMemo((): LinesOf | undefined => (ofDecision ? { by: "decision", of: ofDecision[path] ?? [] } : tested && { by: "tests", of: tested }), [ofDecision, tested, path]);
  const line = Number(search["line"]);
  const target = useMemo(() => (Number.isInteger(line) && line > 0 ? { line } : undefined), [line, search["file"]]);
  // Once somebody types, the line of the address is no longer where they are.
  const edit = useCallback(
    (file: string, text: string) => {
      setFiles?.((before) => ({ ...before, [file]: text }));
      if (line > 0) change({ line: undefined }, { replace: true });
    },
    [setFiles, line, change],
  );
  const tidy = formatted.mutate;
  return (
    <>
      <div className="editor-head">
        <bdi className="editor-path" title={path}>{path}</bdi>
        {steps.checked?.unformatted.includes(path) && <span className="small quiet">{texts.unformatted}</span>}
        <span className="grow" />
        {setFiles && <Button size="compact-sm" leftSection={<IconWand size={14} stroke={1.75} />} loading={formatted.isPending} onClick={() => tidy()} title={texts.formatKey}>{texts.format}</Button>}
      </div>
      <div className="editor-box">
        <Suspense fallback={<div className="panel-body"><Waiting rows={8} /></div>}>
          <Editor
            path={path}
            text={files[path] ?? ""}
            readOnly={setFiles === undefined}
            problems={problems}
            coverage={coverage}
            reference={reference.data}
            target={target}
            change={edit}
            select={select}
            format={() => setFiles && tidy()}
            next={goOn}
            save={() => void save()}
          />
        </Suspense>
      </div>
      {formatted.error && <Trouble error={formatted.error} wrote />}
      <Problems work={work} all={all} open={open} />
    </>
  );
}

/** All problems of all files, each leading to its place; changes are announced. */
function Problems({ work, all, open }: { work: Work; all: readonly Diagnostic[]; open: (file: string, line?: number) => void }) {
  const { steps } = work;
  if (steps.checkError && !steps.checked) return <Trouble error={steps.checkError} retry={steps.checkNow} />;
  return (
    <section className="problems" aria-label={texts.problems} role="region" tabIndex={all.length > 4 ? 0 : undefined}>
      <p className="row tight small" role="status">
        {steps.checking ? <span className="quiet">{texts.checking}</span> : all.length === 0 ? <><IconCircleCheck size={16} stroke={1.75} className="good-mark" aria-hidden /><span>{texts.noProblems}</span></> : <><IconAlertTriangle size={16} stroke={1.75} className="poor-mark" aria-hidden /><strong>{texts.problemsIn(all.length)}</strong></>}
      </p>
      {all.length > 0 && (
        <ul>
          {all.map((d, i) => (
            <li key={`${d.file}:${d.line}:${d.column}:${i}`}>
              <button type="button" className={`problem ${d.severity}`} disabled={d.file === ""} onClick={() => open(d.file, d.line)}>
                {d.file !== "" && <code>{d.file}{d.line > 0 && `:${d.line}`}</code>} <span className="problem-text">{inWords(d.message)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

interface PanesProps {
  work: Work;
  path: string | undefined;
  selection: string;
  open: (file: string, line?: number) => void;
  evaluated: (what: Evaluated) => void;
}

function Panes({ work, path, selection, open, evaluated }: PanesProps) {
  const [search, change] = useAddress();
  const pane = texts.panes[search["pane"] ?? ""] ? (search["pane"] ?? "tests") : "tests";
  return (
    <div className="pane-column">
      <Tabs value={pane} onChange={(next) => change({ pane: next === "tests" ? undefined : (next ?? undefined) }, { replace: true })} keepMounted={false}>
        <Tabs.List>{Object.entries(texts.panes).map(([name, label]) => <Tabs.Tab key={name} value={name}>{label}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="tests"><TestsPane work={work} open={open} /></Tabs.Panel>
        <Tabs.Panel value="evaluate"><EvaluatePane work={work} path={path} selection={selection} evaluated={evaluated} /></Tabs.Panel>
        <Tabs.Panel value="replay"><ReplayPane work={work} /></Tabs.Panel>
        <Tabs.Panel value="diff"><DiffPane work={work} /></Tabs.Panel>
      </Tabs>
    </div>
  );
}
