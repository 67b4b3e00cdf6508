import { Button, Progress, Select } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Difference, type Replay, cancelReplay, moves, replayQuery } from "../api/policies";
import { count } from "../api/figures";
import { dayTime } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Empty, Trouble } from "../parts/states";
import { decisionTexts } from "../texts/decisions";
import { policyTexts } from "../texts/policies";
import { KeptSays } from "./kept";
import type { Work } from "./workspace";

const texts = policyTexts.replay;

/** Which recorded decisions would be others under this policy: in one sentence, then by the rule that makes the difference. */
export function ReplayPane({ work }: { work: Work }) {
  const [search, change] = useAddress();
  const last = texts.windows[search["last"] ?? ""] ? (search["last"] ?? "7d") : "7d";
  const { steps } = work;
  const running = steps.replay !== undefined && moves(steps.replay);
  return (
    <div className="pane">
      <div className="row">
        <Select size="xs" aria-label={texts.window} value={last} data={Object.entries(texts.windows).map(([value, label]) => ({ value, label }))} onChange={(value) => value && change({ last: value }, { replace: true })} />
        <Button size="compact-sm" loading={steps.starting} disabled={running} onClick={() => void steps.startReplay(last).then(({ id }) => change({ replay: id }, { replace: true }), () => undefined)}>{texts.run}</Button>
        {steps.replay && steps.replayStale && <span className="small warn">{texts.stale}</span>}
      </div>
      {steps.replayError ? <Trouble error={steps.replayError} /> : null}
      {steps.replay ? <Shown work={work} replay={steps.replay} /> : !steps.replayError && !steps.starting && <Empty title={texts.none}>{texts.noneText}</Empty>}
    </div>
  );
}

function Shown({ work, replay }: { work: Work; replay: Replay }) {
  if (moves(replay)) return <Running work={work} replay={replay} />;
  if (replay.state === "cancelled") return <p role="status">{texts.cancelled}</p>;
  if (replay.state === "failed" || replay.result === null) return <p className="trouble" role="alert">{texts.failed(replay.error ?? "")}</p>;
  return (
    <>
      <ReplaySentence replay={replay} />
      {replay.result.retention && replay.result.retention.at_once > 0 && <KeptSays of={replay.result.retention} />}
      {Object.entries(replay.result.not_replayable).map(([why, n]) => <p key={why} className="small quiet">{texts.notReplayable(count(n), texts.notReplayableWhy[why] ?? why)}</p>)}
      <ul className="differences">{replay.result.differences.map((d) => <OfRule key={`${d.from}/${d.to}/${d.rule}/${d.reason}`} of={d} />)}</ul>
      {replay.result.retention && replay.result.retention.at_once === 0 && <KeptSays of={replay.result.retention} />}
    </>
  );
}

function Running({ work, replay }: { work: Work; replay: Replay }) {
  const queries = useQueryClient();
  const cancel = useMutation({ mutationFn: () => cancelReplay(work.org, replay.id), onSettled: () => queries.invalidateQueries({ queryKey: replayQuery(work.org, replay.id).queryKey }) });
  const { done, total } = replay.progress;
  const said = replay.state === "queued" || total === 0 ? texts.queued : texts.running(count(done), count(total));
  return (
    <div className="stack tight">
      <Progress value={total === 0 ? 0 : (done / total) * 100} aria-label={said} />
      <div className="row"><span className="num small" role="status">{said}</span><Button size="compact-sm" loading={cancel.isPending} onClick={() => cancel.mutate()}>{texts.cancel}</Button></div>
      {cancel.error && <Trouble error={cancel.error} wrote />}
    </div>
  );
}

const windowText = (replay: Replay): string => texts.between(dayTime(new Date(replay.from)), dayTime(new Date(replay.to)));
/** allow → deny, or that only the reason is another. */
const moveText = ({ from, to }: Pick<Difference, "from" | "to">): string => (from === to ? texts.otherReason(from) : `${from} → ${to}`);

/** Of 48,112 decisions in … 213 would change: 201 allow → lobby (rule …), 12 deny → allow (rule …). */
export function ReplaySentence({ replay }: { replay: Replay }) {
  const result = replay.result;
  if (!result) return null;
  const window = windowText(replay);
  if (result.decisions === 0) return <p role="status">{texts.noDecisions(window)}</p>;
  if (result.changed === 0) return <p role="status"><strong>{texts.nothing(count(result.decisions), window)}</strong> <span className="small quiet">{texts.distinct(count(result.distinct))}</span></p>;
  const parts = result.differences.map((d) => texts.part(count(d.decisions), moveText(d), d.rule, d.reason));
  return <p role="status"><strong>{texts.sentence(count(result.decisions), window, count(result.changed))}</strong>: {parts.join(", ")}.</p>;
}

function OfRule({ of }: { of: Difference }) {
  const [, change] = useAddress();
  const [all, setAll] = useState(false);
  const shown = all ? of.examples : of.examples.slice(0, 3);
  return (
    <li className="difference">
      <p><strong className="num">{count(of.decisions)}</strong> {moveText(of)} {of.rule !== "" && <code className="list-code">{of.rule}</code>} {of.reason !== "" && <span className="quiet small">{of.reason}</span>}</p>
      <p className="small quiet">{texts.distinct(count(of.distinct))}</p>
      <ul className="stack tight" aria-label={texts.examples}>
        {shown.map((e) => (
          <li key={e.decision_id}>
            <button type="button" className="example" onClick={() => change({ pane: "evaluate", decision: e.decision_id })} title={texts.example(e.decision_id)}>
              <span>{whatOf(e.input)}</span>
              <span className="quiet small">{texts.reasonsWere(e.before.reasons.join(", ") || e.before.effect, e.after.reasons.join(", ") || e.after.effect)}</span>
            </button>
          </li>
        ))}
      </ul>
      {!all && of.examples.length > shown.length && <button type="button" className="plain-button small" onClick={() => setAll(true)}>+{of.examples.length - shown.length}</button>}
    </li>
  );
}

/** use sendChat, guest, admitted */
function whatOf(input: unknown): string {
  const of = (input ?? {}) as { action?: string; capability?: string; participant?: { kind?: string; state?: string } };
  return [decisionTexts.of(of.action ?? "", of.capability ?? ""), of.participant?.kind, of.participant?.state].filter((part) => part !== undefined && part !== "").join(", ");
}
