import { Button, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Problem } from "../api/client";
import { type Active, type Files, activate, activeQuery, newRevision } from "../api/policies";
import { useAddress } from "../frame/search-state";
import { policyTexts } from "../texts/policies";
import { Confirm } from "./confirm";
import { type DraftWork, same } from "./draft";
import { useAgreed, useAtOnce } from "./kept";
import { ReplaySentence } from "./replay-pane";
import type { Steps } from "./steps";

const texts = policyTexts.activate;

/** Puts a draft live: it becomes a revision, with a message, and that revision active, if nobody activated another one meanwhile. */
export function Activate({ org, draft, active, steps, close }: { org: string; draft: DraftWork; active: Active; steps: Steps; close: () => void }) {
  const [message, setMessage] = useState("");
  const [, change] = useAddress();
  const queries = useQueryClient();
  // What is compared and set is what was active when the dialog was opened, not what came since.
  const expected = useRef(active);
  const made = useRef<{ files: Files; message: string; number: number }>(undefined);
  const run = useMutation({
    mutationFn: async () => {
      const said = message.trim();
      if (!made.current || made.current.message !== said || !same(made.current.files, draft.files)) {
        const { number } = await newRevision(org, { files: draft.files }, said, draft.draft.based_on);
        made.current = { files: draft.files, message: said, number };
      }
      return activate(org, made.current.number, said, expected.current.version);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["policy", org, "revisions"] }),
    onError: () => queries.invalidateQueries({ queryKey: activeQuery(org).queryKey }),
    onSuccess: async (now) => {
      // The draft has done its work: its revision is kept. One that can't be deleted is left, and does no harm.
      await draft.remove().catch(() => undefined);
      queries.setQueryData(activeQuery(org).queryKey, now);
      change({ draft: undefined, revision: undefined, replay: undefined, pane: undefined, file: undefined, line: undefined });
    },
  });
  const { agreed, ask } = useAgreed(useAtOnce(org, draft.files, steps.replayed ? steps.replay : undefined));
  const conflict = run.error instanceof Problem && run.error.status === 412;
  const showDiff = (): void => {
    close();
    change({ view: undefined, pane: "diff" });
  };
  return (
    <Confirm
      title={texts.title}
      text={texts.text}
      confirm={texts.confirm}
      run={run}
      close={close}
      disabled={message.trim() === "" || conflict || !agreed}
      trouble={conflict && (
        <div className="notice" role="alert">
          <p className="grow"><strong>{texts.conflict(active.revision)}</strong> {texts.conflictText}</p>
          <Button size="compact-sm" onClick={showDiff}>{policyTexts.showDiff}</Button>
        </div>
      )}
    >
      {!steps.replayed && <p className="warn">{policyTexts.notReplayed}</p>}
      {steps.replayed && steps.replay && <section className="replay-says"><h2 className="pane-title">{texts.replaySays}</h2><ReplaySentence replay={steps.replay} /></section>}
      {ask}
      <Textarea label={texts.message} description={texts.messageHint} value={message} onChange={(e) => setMessage(e.currentTarget.value)} required maxLength={1000} rows={3} data-autofocus />
    </Confirm>
  );
}
