import { Button, Select } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Problem } from "../api/client";
import { type Active, type Draft, type Files, activeQuery, draftQuery, draftsQuery, newDraft, revisionQuery } from "../api/policies";
import { useHas, useOrg } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Screen } from "../parts/screen";
import { Empty, Loaded, Trouble } from "../parts/states";
import { policyTexts as texts } from "../texts/policies";
import { DraftWorkspace, RevisionWorkspace } from "./workspace";
import "./policies.css";

/** What would this change do? The active policy, a revision or a draft, whichever the address names. */
export function Policies() {
  const org = useOrg();
  if (org === undefined) return <Screen title={texts.title}><Empty title={texts.noRules}>{texts.readOnly}</Empty></Screen>;
  return <OfOrg org={org} />;
}

function OfOrg({ org }: { org: string }) {
  const [search] = useAddress();
  const active = useQuery(activeQuery(org));
  const draft = search["draft"];
  const revision = /^\d{1,8}$/.test(search["revision"] ?? "") ? Number(search["revision"]) : undefined;
  return (
    <Screen title={texts.title} question={texts.question} actions={<>{active.data && <Source org={org} active={active.data} />}<Share /></>}>
      <Loaded query={active}>
        {(live) => (
          <>
            <Breaker active={live} />
            {draft !== undefined ? <OneDraft key={draft} org={org} id={draft} active={live} /> : <OneRevision org={org} number={revision ?? live.revision} active={live} />}
          </>
        )}
      </Loaded>
    </Screen>
  );
}

/** A policy that fails at run time was taken out of use: nobody may overlook that. */
function Breaker({ active }: { active: Active }) {
  if (!active.breaker) return null;
  return <p className="trouble" role="alert">{texts.breaker(texts.revisionSource(active.revision), active.breaker.running_revision, active.breaker.reason)}</p>;
}

/** What is looked at: what is live, one of the drafts, or the revision that the address names. */
function Source({ org, active }: { org: string; active: Active }) {
  const [search, change] = useAddress();
  const drafts = useQuery(draftsQuery(org));
  const revision = search["draft"] === undefined && search["revision"] !== undefined && Number(search["revision"]) !== active.revision ? search["revision"] : undefined;
  const listed = drafts.data ?? [];
  const draft = search["draft"];
  const value = draft !== undefined ? `draft:${draft}` : revision !== undefined ? `revision:${revision}` : "active";
  return (
    <Select
      className="source"
      aria-label={texts.source}
      value={value}
      data={[
        { group: texts.groups.active, items: [{ value: "active", label: texts.activeSource(active.revision) }] },
        ...(listed.length > 0 ? [{ group: texts.groups.drafts, items: listed.map((d) => ({ value: `draft:${d.id}`, label: d.title })) }] : []),
        ...(revision !== undefined ? [{ group: texts.groups.revision, items: [{ value: `revision:${revision}`, label: texts.revisionSource(Number(revision)) }] }] : []),
      ]}
      onChange={(chosen) => {
        const [kind, id] = (chosen ?? "").split(/:(.*)/s);
        change({ draft: kind === "draft" ? id : undefined, revision: kind === "revision" ? id : undefined, file: undefined, replay: undefined, line: undefined });
      }}
    />
  );
}

function OneDraft({ org, id, active }: { org: string; id: string; active: Active }) {
  const [, change] = useAddress();
  const draft = useQuery(draftQuery(org, id));
  if (draft.error instanceof Problem && draft.error.status === 404) {
    return <Empty title={texts.gone} action={<Button onClick={() => change({ draft: undefined })}>{texts.toActive}</Button>}>{texts.goneText}</Empty>;
  }
  return <Loaded query={draft}>{(found) => <DraftWorkspace key={`${found.id}/${draft.dataUpdatedAt}`} org={org} loaded={found} active={active} />}</Loaded>;
}

function OneRevision({ org, number, active }: { org: string; number: number; active: Active }) {
  const revision = useQuery({ ...revisionQuery(org, number), enabled: number > 0 });
  const begin = useBegin(org);
  const start = (view?: string) => begin.mutate({ number, files: revision.data?.files ?? {}, view });
  if (number === 0) return <><Failed error={begin.error} /><RevisionWorkspace org={org} number={0} files={NOTHING} active={active} begin={start} beginning={begin.isPending} /></>;
  return (
    <>
      <Failed error={begin.error} />
      <Loaded query={revision}>
        {(found) => <RevisionWorkspace key={number} org={org} number={number} files={found.files ?? NOTHING} revision={found} active={active} begin={start} beginning={begin.isPending} />}
      </Loaded>
    </>
  );
}

const NOTHING: Files = {};

const Failed = ({ error }: { error: unknown }) => (error ? <Trouble error={error} wrote /> : null);

/** What a first draft has, so that there is something to change. */
const FIRST: Files = {
  "organization.rego": `package anteroom.organization

# METADATA
# title: Guests share no screen while a meeting is recorded
# description: An example. Change it, or take it out.
# custom:
#   rule: example
#   reason: example_no_screen_while_recording
withhold.shareScreen contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	input.meeting.recording
}
`,
  "organization_test.rego": `package anteroom.organization_test

import data.anteroom.organization

test_guests_share_no_screen_while_recording if {
	withheld := organization.withhold.shareScreen with input as {"participant": {"kind": "guest"}, "meeting": {"recording": true}}
	{refusal.reason | some refusal in withheld} == {"example_no_screen_while_recording"}
}

test_guests_share_screens_otherwise if {
	withheld := organization.withhold.shareScreen with input as {"participant": {"kind": "guest"}, "meeting": {"recording": false}}
	count(withheld) == 0
}
`,
};

/** Makes a draft of a revision and opens it. */
function useBegin(org: string) {
  const [, change] = useAddress();
  const queries = useQueryClient();
  const mayEdit = useHas("policy_author");
  return useMutation({
    mutationFn: async ({ number, files, view }: { number: number; files: Files; view: string | undefined }): Promise<{ draft: Draft; view: string | undefined }> => {
      if (!mayEdit) throw new Error(texts.readOnly);
      const baseAlone = Object.keys(files).length === 0;
      const first = baseAlone && view === undefined ? FIRST : files;
      return { draft: await newDraft(org, { title: baseAlone ? texts.firstTitle : texts.draftTitle(texts.revisionSource(number).toLowerCase()), based_on: number, files: first }), view };
    },
    onSuccess: async ({ draft, view }) => {
      queries.setQueryData(draftQuery(org, draft.id).queryKey, draft);
      await queries.invalidateQueries({ queryKey: draftsQuery(org).queryKey, exact: true });
      change({ draft: draft.id, revision: undefined, file: undefined, ...(view !== undefined && { view }) });
    },
  });
}
