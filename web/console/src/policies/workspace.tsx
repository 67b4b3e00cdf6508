import { Button, Tabs, TextInput } from "@mantine/core";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { type Active, type Draft, type Files, type Revision, draftQuery, draftsQuery, loadDraft, newDraft } from "../api/policies";
import { useHas } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Chip } from "../parts/facts";
import { Empty, Trouble } from "../parts/states";
import { policyTexts as texts } from "../texts/policies";
import { Activate } from "./activate";
import { BASE_FIRST, isOfBase } from "./base";
import { Confirm } from "./confirm";
import { type DraftWork, useDraft } from "./draft";
import { Guests } from "./guests";
import { History } from "./history";
import { Rules } from "./rules";
import { type Steps, useSteps } from "./steps";

/** What the views of a policy share: its files, whether they may be changed, and how far it is on its way to being live. */
export interface Work {
  org: string;
  active: Active;
  files: Files;
  /** Undefined: they can't be changed here. */
  setFiles: DraftWork["setFiles"] | undefined;
  steps: Steps;
  /** What it is called in comparisons: a draft's id or a revision's number. */
  id: string;
  /** Has the service know what is here, before it is asked about it by that id. */
  save: () => Promise<boolean>;
  /** Does what comes next, as the primary button does. */
  goOn: () => void;
}

/** A draft: everything can be changed, and nothing is live. */
export function DraftWorkspace({ org, loaded, active }: { org: string; loaded: Draft; active: Active }) {
  const mayEdit = useHas("policy_author");
  const draft = useDraft(org, loaded, !mayEdit);
  const [search, change] = useAddress();
  const [activating, setActivating] = useState(false);
  const steps = useSteps(org, draft.files, search["replay"]);
  const goOn = useGoOn(steps, () => setActivating(true));
  const work: Work = { org, active, files: draft.files, setFiles: mayEdit ? draft.setFiles : undefined, steps, id: loaded.id, save: draft.save, goOn };
  return (
    <Views
      work={work}
      head={
        <div className="policy-bar">
          <div className="grow row">
            <Chip tone="accent">{texts.draftOf(draft.draft.based_on, draft.draft.based_on === active.revision)}</Chip>
            {mayEdit ? <Title draft={draft} /> : <bdi>{draft.draft.title}</bdi>}
            <SaveState draft={draft} />
          </div>
          {mayEdit && <Next steps={steps} goOn={goOn} />}
        </div>
      }
    >
      <Conflict org={org} draft={draft} />
      {draft.draft.based_on !== active.revision && mayEdit && (
        <div className="notice" role="status">
          <p className="grow"><strong>{texts.outdated(draft.draft.based_on, active.revision)}</strong> {texts.outdatedText}</p>
          <Button size="compact-sm" onClick={() => change({ view: undefined, pane: "diff" })}>{texts.showDiff}</Button>
          <Button size="compact-sm" onClick={() => draft.setBase(active.revision)}>{texts.rebase(active.revision)}</Button>
        </div>
      )}
      {activating && <Activate org={org} draft={draft} active={active} steps={steps} close={() => setActivating(false)} />}
    </Views>
  );
}

/** A revision, which never changes. */
export function RevisionWorkspace({ org, number, files, revision, active, begin, beginning }: {
  org: string; number: number; files: Files; revision?: Revision; active: Active; begin: (view?: string) => void; beginning: boolean;
}) {
  const mayEdit = useHas("policy_author");
  const [search, change] = useAddress();
  const steps = useSteps(org, files, search["replay"]);
  const work: Work = { org, active, files, setFiles: undefined, steps, id: String(number), save: async () => true, goOn: () => undefined };
  const live = number === active.revision;
  const baseAlone = Object.keys(files).length === 0;
  const empty = baseAlone && (!live ? <Empty title={texts.noFiles}>{texts.noFilesHere}</Empty> : (
    <Empty
      title={texts.noRules}
      action={
        <div className="row">
          {mayEdit && <><Button variant="filled" loading={beginning} onClick={() => begin()}>{texts.begin}</Button><Button loading={beginning} onClick={() => begin("guests")}>{texts.beginForm}</Button></>}
          <Button onClick={() => change({ file: BASE_FIRST })}>{texts.base.read}</Button>
        </div>
      }
    >
      {texts.noRulesText}
    </Empty>
  ));
  return (
    <Views
      work={work}
      instead={(search["pane"] === undefined && !isOfBase(search["file"]) && empty) || undefined}
      begin={mayEdit ? () => begin("guests") : undefined}
      head={
        <div className="policy-bar">
          <div className="grow">
            <p>{live ? texts.liveIs(number, baseAlone) : texts.notLive(number, texts.states[revision?.state ?? ""] ?? "")} {revision && <bdi className="quiet">{revision.message}</bdi>}</p>
            <p className="quiet small">{mayEdit ? texts.editHint : texts.readOnly}</p>
          </div>
          {!baseAlone && mayEdit && <Button variant="filled" loading={beginning} onClick={() => begin()}>{texts.edit}</Button>}
        </div>
      }
    />
  );
}

/** The three ways to look at a policy; the address says which. */
function Views({ work, head, instead, begin, children }: { work: Work; head: ReactNode; instead?: ReactNode; begin?: (() => void) | undefined; children?: ReactNode }) {
  const [search, change] = useAddress();
  const view = texts.views[search["view"] ?? ""] ? (search["view"] ?? "rules") : "rules";
  return (
    <>
      {head}
      {children}
      <Tabs value={view} onChange={(next) => change({ view: next === "rules" ? undefined : (next ?? undefined) })} keepMounted={false}>
        <Tabs.List>{Object.entries(texts.views).map(([name, label]) => <Tabs.Tab key={name} value={name}>{label}</Tabs.Tab>)}</Tabs.List>
        <div className="tab-body">
          <Tabs.Panel value="rules">{instead ?? <Rules work={work} />}</Tabs.Panel>
          <Tabs.Panel value="guests"><Guests work={work} begin={begin} /></Tabs.Panel>
          <Tabs.Panel value="history"><History org={work.org} active={work.active} /></Tabs.Panel>
        </div>
      </Tabs>
    </>
  );
}

/** What the primary button does: it shows the first problem, runs the tests, replays, or asks for the message of the activation. */
function useGoOn(steps: Steps, activate: () => void): () => void {
  const [search, change] = useAddress();
  return () => {
    const view = { view: undefined };
    if (steps.next === "check") {
      steps.checkNow();
      const first = steps.checked?.diagnostics[0];
      if (first) change({ ...view, file: first.file, line: `${first.line}` });
    } else if (steps.next === "test") {
      change({ ...view, pane: "tests" });
      void steps.test().catch(() => undefined);
    } else if (steps.next === "replay") {
      change({ ...view, pane: "replay" });
      void steps.startReplay(search["last"] ?? "7d").then(({ id }) => change({ ...view, pane: "replay", replay: id }), () => undefined);
    } else activate();
  };
}

function Next({ steps, goOn }: { steps: Steps; goOn: () => void }) {
  const running = steps.testing || steps.starting || steps.replay?.state === "running" || steps.replay?.state === "queued";
  return (
    <div className="next">
      <span className="quiet small" id="next-hint">{steps.empty ? texts.noFilesText : steps.next === "activate" && !steps.replayed ? texts.notReplayed : texts.stepHints[steps.next]}</span>
      <Button variant="filled" size="sm" onClick={goOn} loading={running} disabled={steps.empty} aria-describedby="next-hint" title="Ctrl+Enter">{texts.steps[steps.next]}</Button>
    </div>
  );
}

function SaveState({ draft }: { draft: DraftWork }) {
  const { kind } = draft.saving;
  return (
    <>
      <span className={kind === "failed" || kind === "conflict" ? "small warn" : "small quiet"} role="status">{texts.saving[kind]}</span>
      {kind === "failed" && <Button size="compact-sm" onClick={() => void draft.save()}>{texts.saveAgain}</Button>}
    </>
  );
}

function Title({ draft }: { draft: DraftWork }) {
  const [editing, setEditing] = useState(false);
  const [asking, setAsking] = useState(false);
  return (
    <>
      {editing ? (
        <form className="row nowrap" onSubmit={(event) => { event.preventDefault(); setEditing(false); }}>
          <TextInput size="xs" w={280} aria-label={texts.titleField} value={draft.draft.title} onChange={(e) => draft.setTitle(e.currentTarget.value)} maxLength={256} required autoFocus onBlur={() => setEditing(false)} />
        </form>
      ) : (
        <button type="button" className="plain-button draft-title" onClick={() => setEditing(true)} title={`${texts.rename}: ${draft.draft.title}`}>
          <bdi>{draft.draft.title}</bdi><IconPencil size={14} stroke={1.75} aria-label={texts.rename} />
        </button>
      )}
      <button type="button" className="plain-button" onClick={() => setAsking(true)} aria-label={texts.deleteDraft} title={texts.deleteDraft}><IconTrash size={16} stroke={1.75} aria-hidden /></button>
      {asking && <Delete draft={draft} close={() => setAsking(false)} />}
    </>
  );
}

function Delete({ draft, close }: { draft: DraftWork; close: () => void }) {
  const [, change] = useAddress();
  const gone = useMutation({ mutationFn: draft.remove, onSuccess: () => change({ draft: undefined, file: undefined, replay: undefined }) });
  return <Confirm title={texts.deleteDraft} text={texts.deleteText} confirm={texts.deleteDraft} red run={gone} close={close} />;
}

/** Somebody else saved the draft: nothing is written over without being asked for. */
function Conflict({ org, draft }: { org: string; draft: DraftWork }) {
  const queries = useQueryClient();
  const [, change] = useAddress();
  const query = draftQuery(org, draft.draft.id);
  const load = useMutation({ mutationFn: () => queries.refetchQueries({ queryKey: query.queryKey }) });
  const keep = useMutation({ mutationFn: () => loadDraft(org, draft.draft.id), onSuccess: draft.keepMine });
  const both = useMutation({
    mutationFn: () => newDraft(org, { title: texts.bothTitle(draft.draft.title).slice(0, 256), based_on: draft.draft.based_on, files: draft.files }),
    onSuccess: async (mine) => {
      queries.setQueryData(draftQuery(org, mine.id).queryKey, mine);
      await queries.invalidateQueries({ queryKey: draftsQuery(org).queryKey, exact: true });
      change({ draft: mine.id });
    },
  });
  if (draft.saving.kind === "failed") return <Trouble error={draft.saving.error} wrote retry={() => void draft.save()} />;
  if (draft.saving.kind !== "conflict") return null;
  return (
    <div className="notice" role="alert">
      <p className="grow"><strong>{texts.conflict}</strong> {texts.conflictText}</p>
      <Button size="compact-sm" variant="filled" loading={both.isPending} onClick={() => both.mutate()}>{texts.keepBoth}</Button>
      <Button size="compact-sm" loading={load.isPending} onClick={() => load.mutate()}>{texts.loadTheirs}</Button>
      <Button size="compact-sm" loading={keep.isPending} onClick={() => keep.mutate()}>{texts.keepMine}</Button>
      {(keep.error ?? both.error) && <Trouble error={keep.error ?? both.error} wrote />}
    </div>
  );
}
