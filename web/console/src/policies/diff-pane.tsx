import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type FileDiff, diffQuery } from "../api/policies";
import { Chip } from "../parts/facts";
import { Empty, Trouble, Waiting } from "../parts/states";
import { policyTexts } from "../texts/policies";
import { ReplaySentence } from "./replay-pane";
import type { Work } from "./workspace";

const texts = policyTexts.diff;

/** What is otherwise here than in the active revision. */
export function DiffPane({ work }: { work: Work }) {
  const { save, files, org, id, active, steps } = work;
  const [ready, setReady] = useState(0);
  // The service compares what it has, so it gets what is here first.
  useEffect(() => {
    let gone = false;
    void save().then(() => !gone && setReady((n) => n + 1));
    return () => void (gone = true);
  }, [files, save]);
  const diff = useQuery({ ...diffQuery(org, "active", id, `${active.revision}/${ready}`), enabled: ready > 0, placeholderData: (before) => before });
  const changed = diff.data?.filter((f) => f.status !== "same") ?? [];
  return (
    <div className="pane">
      {steps.replay?.result && (
        <section className="replay-says">
          <h2 className="pane-title">{texts.replaySays}</h2>
          <ReplaySentence replay={steps.replay} />
          {steps.replayStale && <p className="small warn">{policyTexts.replay.stale}</p>}
        </section>
      )}
      <p className="small quiet">{texts.against(active.revision)}</p>
      {diff.error ? <Trouble error={diff.error} retry={() => void diff.refetch()} /> : diff.data === undefined ? <Waiting /> : changed.length === 0 ? <Empty title={texts.nothing}>{texts.nothingText}</Empty> : changed.map((f) => <OfFile key={f.path} of={f} />)}
    </div>
  );
}

function OfFile({ of }: { of: FileDiff }) {
  return (
    <section className="diff">
      <p className="row tight"><bdi className="editor-path">{of.path}</bdi><Chip>{texts.statuses[of.status] ?? of.status}</Chip></p>
      <div className="diff-lines" role="region" tabIndex={0} aria-label={texts.lines(of.path)}>
        {linesOf(of.unified).map((line, i) => <div key={i} className={`diff-line ${line.kind}`}><span className="diff-sign">{line.sign}</span><span>{line.text}</span></div>)}
      </div>
    </section>
  );
}

type Line = { kind: "in" | "out" | "head" | "same"; sign: string; text: string };

/** The lines of a unified difference; its heading lines, which only repeat the name, are left out. */
function linesOf(unified: string): Line[] {
  return unified.split("\n").flatMap((line): Line[] => {
    if (line.startsWith("--- ") || line.startsWith("+++ ") || line === "" || line.startsWith("\\")) return [];
    if (line.startsWith("@@")) return [{ kind: "head", sign: "", text: line }];
    const sign = line.charAt(0);
    return [{ kind: sign === "+" ? "in" : sign === "-" ? "out" : "same", sign: sign === "-" ? "−" : sign, text: line.slice(1) }];
  });
}
