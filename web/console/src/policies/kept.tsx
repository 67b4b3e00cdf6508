import { Checkbox } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { body, client } from "../api/client";
import { count } from "../api/figures";
import { type Files, type KeptChange, type KeptReplay, type Replay, cancelReplay, moves, startReplay } from "../api/policies";
import { Go } from "../parts/go";
import { policyTexts } from "../texts/policies";

const texts = policyTexts.kept;

/** The rules on how long things are kept are in this package. */
const PACKAGE = "anteroom.organization.retention";
const speaks = (files: Files): boolean => Object.values(files).some((text) => text.includes(PACKAGE));

/** What would be deleted earlier or later: what at once first, since nothing brings it back. */
export function KeptSays({ of }: { of: KeptReplay }) {
  return (
    <section className="kept-says" aria-label={texts.title}>
      <h3>{texts.title}</h3>
      <KeptSentence of={of} />
      {of.undecided > 0 && <p className="small warn">{texts.undecided(count(of.undecided))}</p>}
      {!of.complete && <p className="small warn">{texts.incomplete(of.regions.filter((r) => !r.complete).map((r) => r.region).join(", "))}</p>}
      <ul className="differences">{of.changes.map((c) => <Change key={`${c.region}/${c.class}/${c.from_days}/${c.to_days}/${c.rule}/${c.reason}`} of={c} />)}</ul>
    </section>
  );
}

export function KeptSentence({ of }: { of: KeptReplay }) {
  if (of.things + of.undecided === 0) return <p role="status">{texts.empty}</p>;
  if (of.changed === 0) return <p role="status">{texts.nothing(count(of.things))}</p>;
  return (
    <>
      {of.at_once > 0 && <p className="at-once" role="alert"><strong>{texts.atOnce(count(of.at_once))}</strong> {of.at_once_held > 0 && texts.held(count(of.at_once_held))}</p>}
      <p role="status"><strong>{texts.sentence(count(of.things), count(of.earlier), count(of.later))}</strong></p>
    </>
  );
}

function Change({ of }: { of: KeptChange }) {
  const rule = of.rule.replace(/^organization:/, "");
  return (
    <li className="difference">
      <p>
        <strong className="num">{count(of.things)}</strong> {texts.classes[of.class] ?? of.class} {texts.region(of.region)}: {texts.days(of.from_days)} → {texts.days(of.to_days)}{" "}
        <code className="list-code">{rule}</code> <span className="quiet small">{of.reason}</span>
      </p>
      {of.at_once > 0 && <p className="small warn">{texts.ofThemAtOnce(count(of.at_once))}</p>}
      {of.held > 0 && <p className="small quiet">{texts.ofThemHeld(count(of.held))}</p>}
      {of.meetings.length > 0 && (
        <p className="small quiet">
          {texts.meetings} {of.meetings.map((id, i) => <span key={id}>{i > 0 && ", "}<Go to={`/meetings/${id}`}><code>{id.slice(0, 8)}</code></Go></span>)}
        </p>
      )}
    </li>
  );
}

/** Looks what would be deleted at once if these files were active: by the replay that was made of them, or by one of its own. */
export interface AtOnce {
  kept: KeptReplay | null;
  pending: boolean;
  error: unknown;
}

export function useAtOnce(org: string, files: Files | undefined, known?: Replay): AtOnce {
  const have = known?.result?.retention;
  const needed = files !== undefined && speaks(files) && !have;
  const asked = useQuery({
    queryKey: ["policy", org, "at-once", files],
    queryFn: ({ signal }) => look(org, files ?? {}, signal),
    enabled: needed,
    gcTime: 0,
    retry: false,
  });
  if (have) return { kept: have, pending: false, error: null };
  return { kept: asked.data ?? null, pending: files === undefined || (needed && asked.isPending), error: needed ? asked.error : null };
}

/** A replay of its own, with as few decisions as may be: only what is kept matters here. */
async function look(org: string, files: Files, signal: AbortSignal): Promise<KeptReplay | null> {
  let replay = await startReplay(org, { files }, "1m");
  while (moves(replay)) {
    if (signal.aborted) {
      await cancelReplay(org, replay.id);
      throw new Error("cancelled");
    }
    await new Promise((next) => setTimeout(next, 300));
    replay = await body(client.GET("/v1/policies/{org}/replays/{id}", { params: { path: { org, id: replay.id } } }));
  }
  if (replay.state !== "done") throw new Error(replay.error ?? replay.state);
  return replay.result?.retention ?? null;
}

/** Whether it may be activated: nothing goes at once, or whoever activates has said that they know how much, or that it isn't known. */
export function useAgreed(at: AtOnce): { agreed: boolean; ask: ReactNode } {
  const [agreedTo, setAgreedTo] = useState<string>();
  if (at.pending) return { agreed: false, ask: <p role="status">{texts.looking}</p> };
  const unsure = at.error !== null || (at.kept !== null && (!at.kept.complete || at.kept.undecided > 0));
  const n = at.kept?.at_once ?? 0;
  if (!unsure && n === 0) return { agreed: true, ask: at.kept && at.kept.changed > 0 ? <KeptSentence of={at.kept} /> : null };
  const label = unsure ? texts.agreeUnknown(n === 0 ? "" : count(n)) : texts.agree(count(n));
  return {
    agreed: agreedTo === label,
    ask: (
      <section className="gone-at-once">
        {at.kept ? <KeptSentence of={at.kept} /> : <p role="alert">{texts.unknown}</p>}
        <Checkbox label={label} checked={agreedTo === label} onChange={(e) => setAgreedTo(e.currentTarget.checked ? label : undefined)} required />
      </section>
    ),
  };
}
