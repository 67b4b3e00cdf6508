import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type DecisionDetail, decisionQuery } from "../api/decisions";
import { count } from "../api/figures";
import { useHas, useOrg } from "../api/session";
import { Copy, Share } from "../parts/copy";
import { Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Panel, Screen } from "../parts/screen";
import { Empty, Trouble, Waiting } from "../parts/states";
import { commonTexts } from "../texts/common";
import { decisionTexts as texts } from "../texts/decisions";
import { EffectChip } from "./effect";
import "./decisions.css";

/** One decision: what it came to, the rules that made it so, and what it was made from. */
export function DecisionPage() {
  const org = useOrg();
  const { id } = useParams({ strict: false }) as { id: string };
  const decision = useQuery({ ...decisionQuery(org ?? "", id), enabled: org !== undefined });
  if (decision.data) return <Found decision={decision.data} />;
  return <Screen title={texts.one}>{decision.error ? <Trouble error={decision.error} retry={() => void decision.refetch()} /> : <Waiting />}</Screen>;
}

function Found({ decision }: { decision: DecisionDetail }) {
  return (
    <Screen
      title={`${texts.one}: ${texts.of(decision.action, decision.capability)}`}
      question={<span className="row"><EffectChip effect={decision.error === null ? decision.effect : "error"} /><Time at={decision.at} seconds /></span>}
      actions={<><Go to="/policies" state={{ pane: "evaluate", decision: decision.decision_id }} className="button-link">{texts.evaluate}</Go><Copy text={decision.decision_id} label={commonTexts.copyId} /><Share /></>}
    >
      {decision.error !== null && <p className="trouble" role="alert"><span><strong>{texts.failed}</strong> <code>{decision.error}</code></span></p>}
      <div className="columns">
        <div className="stack">
          <Panel title={texts.why}><Why decision={decision} /></Panel>
          <Panel title={texts.facts}><Facts decision={decision} /></Panel>
        </div>
        <Panel title={texts.input}>
          {decision.input === null ? (
            <Empty title={texts.noInput} />
          ) : (
            <div className="stack tight">
              <p className="small quiet">{texts.inputNote}</p>
              <pre className="raw-value tall" tabIndex={0} role="region" aria-label={texts.input}>{JSON.stringify(decision.input, null, 2)}</pre>
            </div>
          )}
        </Panel>
      </div>
    </Screen>
  );
}

function Why({ decision }: { decision: DecisionDetail }) {
  if (decision.why.length === 0) return <p className="quiet">{texts.noWhy}</p>;
  return (
    <ul className="why-list">
      {decision.why.map((w, i) => (
        <li key={`${w.rule}/${w.reason}/${i}`}>
          <strong>{w.title || w.reason || `${texts.rule} ${w.rule}`}</strong>
          <span className="row tight small">{w.reason !== "" && <code className="list-code">{w.reason}</code>}{w.rule !== "" && <span className="quiet">{texts.rule} {w.rule}</span>}{w.file !== null && <code className="quiet">{w.file}{w.line !== null && `:${w.line}`}</code>}</span>
        </li>
      ))}
    </ul>
  );
}

function Facts({ decision }: { decision: DecisionDetail }) {
  const seesCalls = useHas("admin", "support", "auditor");
  return (
    <dl className="facts">
      <dt>{texts.columns.revision}</dt><dd><code>{decision.revision}</code></dd>
      <dt>{texts.columns.evaluation_us}</dt><dd className="num">{texts.took(count(decision.evaluation_us))}</dd>
      <dt>{texts.columns.source}</dt><dd>{texts.sources[decision.source] ?? decision.source}</dd>
      {decision.call_id !== "" && <><dt>{texts.columns.call_id}</dt><dd>{seesCalls && decision.source === "media" ? <Go to={`/calls/${decision.call_id}`}>{decision.call_id}</Go> : <Name text={decision.call_id} />}</dd></>}
      {decision.meeting_id !== null && <><dt>{texts.meeting}</dt><dd><code>{decision.meeting_id}</code></dd></>}
      {decision.participant_id !== null && <><dt>{texts.participant}</dt><dd><code>{decision.participant_id}</code></dd></>}
    </dl>
  );
}
