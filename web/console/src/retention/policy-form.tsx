import { Button, Checkbox, NumberInput, Select, TextInput, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Problem, body, client } from "../api/client";
import { type Policy, type PolicyInput, type Scope, policiesQuery, previewOf } from "../api/retention";
import { useGo } from "../parts/go";
import { Panel } from "../parts/screen";
import { Trouble } from "../parts/states";
import { keepTexts } from "../texts/keep";
import { PreviewBox } from "./preview";

const texts = keepTexts.policy;

interface Draft {
  name: string;
  kind: Scope["kind"];
  includeUsers: string;
  includeGroups: string;
  excludeUsers: string;
  excludeGroups: string;
  query: string;
  action: Policy["action"]["kind"];
  days: number;
  enabled: boolean;
  locked: boolean;
}

const lines = (members: readonly string[] | null | undefined): string => (members ?? []).join("\n");
const list = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

function draftOf(policy: Policy | undefined): Draft {
  const { scope, action } = policy ?? { scope: { kind: "organization" as const }, action: { kind: "delete" as const, days: 30 } };
  return {
    name: policy?.name ?? "", kind: scope.kind,
    includeUsers: lines(scope.include?.users), includeGroups: lines(scope.include?.groups),
    excludeUsers: lines(scope.exclude?.users), excludeGroups: lines(scope.exclude?.groups),
    query: scope.query ?? "", action: action.kind, days: action.days, enabled: policy?.enabled ?? true, locked: policy?.locked ?? false,
  };
}

function inputOf(d: Draft): PolicyInput {
  const members = (users: string, groups: string): NonNullable<Scope["include"]> => ({ users: list(users), groups: list(groups) });
  const scope: Scope =
    d.kind === "selected"
      ? { kind: d.kind, include: members(d.includeUsers, d.includeGroups), exclude: members(d.excludeUsers, d.excludeGroups) }
      : d.kind === "adaptive"
        ? { kind: d.kind, query: d.query.trim() }
        : { kind: d.kind };
  return { name: d.name.trim(), scope, action: { kind: d.action, days: d.days }, enabled: d.enabled, locked: d.locked };
}

/** A change is previewed before it is made. */
export function PolicyForm({ policy, etag, readOnly }: { policy?: Policy; etag?: string; readOnly: boolean }) {
  const [draft, setDraft] = useState(() => draftOf(policy));
  const go = useGo();
  const queries = useQueryClient();
  const preview = useMutation({ mutationFn: () => previewOf(policy ? { policy_id: policy.id, change: inputOf(draft) } : { policy: inputOf(draft) }) });
  const save = useMutation({
    mutationFn: () =>
      policy
        ? body(client.PATCH("/v1/retention/policies/{id}", { params: { path: { id: policy.id }, header: { "If-Match": etag ?? "" } }, body: inputOf(draft) }))
        : body(client.POST("/v1/retention/policies", { body: inputOf(draft) })),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: policiesQuery.queryKey });
      go({ to: `/retention/${made.id}` });
    },
  });
  const change = (parts: Partial<Draft>): void => {
    setDraft({ ...draft, ...parts });
    preview.reset();
    save.reset();
  };
  const failed = preview.error ?? save.error;
  const wrong = (field: string): string | undefined => (failed instanceof Problem && failed.field?.replace(/^(policy|change)\./, "") === field ? failed.message : undefined);
  return (
    <Panel title={policy ? texts.now : texts.new}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (preview.data) save.mutate();
          else preview.mutate();
        }}
      >
        <fieldset disabled={readOnly} className="stack plain">
          <TextInput label={texts.name} value={draft.name} onChange={(e) => change({ name: e.currentTarget.value })} required maxLength={256} error={wrong("name")} />
          <ScopeFields draft={draft} change={change} wrong={wrong} readOnly={readOnly} />
          <Select label={texts.action} data={Object.entries(keepTexts.retention.actions).map(([value, label]) => ({ value, label }))} value={draft.action} onChange={(action) => action && change({ action: action as Draft["action"] })} disabled={readOnly} />
          <NumberInput label={texts.days} value={draft.days} onChange={(days) => change({ days: Number(days) || 1 })} min={1} max={36_500} required error={wrong("action.days")} disabled={readOnly} />
          <Checkbox label={texts.enabled} checked={draft.enabled} onChange={(e) => change({ enabled: e.currentTarget.checked })} />
          <Checkbox label={texts.locked} checked={draft.locked} onChange={(e) => change({ locked: e.currentTarget.checked })} disabled={policy?.locked} />
          {policy?.locked && <p className="quiet small">{texts.lockedNote}</p>}
        </fieldset>
        {preview.data && <PreviewBox preview={preview.data} />}
        {failed && <Trouble error={failed} wrote />}
        {readOnly ? (
          <p className="quiet small">{texts.readOnly}</p>
        ) : (
          <div className="row">
            <Button type="submit" variant="filled" loading={preview.isPending || save.isPending}>
              {preview.data ? (policy ? texts.saveChange : texts.saveNew) : texts.preview}
            </Button>
            {!preview.data && <span className="quiet small">{texts.previewHint}</span>}
          </div>
        )}
      </form>
    </Panel>
  );
}

function ScopeFields({ draft, change, wrong, readOnly }: { draft: Draft; change: (parts: Partial<Draft>) => void; wrong: (field: string) => string | undefined; readOnly: boolean }) {
  const area = (id: "includeUsers" | "includeGroups" | "excludeUsers" | "excludeGroups", label: string) => (
    <Textarea label={label} description={texts.listHint} value={draft[id]} onChange={(e) => change({ [id]: e.currentTarget.value })} rows={3} className="grow" />
  );
  return (
    <>
      <Select label={texts.scope} description={texts.scopeHint} data={Object.entries(keepTexts.retention.scopes).map(([value, label]) => ({ value, label }))} value={draft.kind} onChange={(kind) => kind && change({ kind: kind as Draft["kind"] })} error={wrong("scope")} disabled={readOnly} />
      {draft.kind === "selected" && (
        <>
          <div className="row top">{area("includeUsers", texts.includeUsers)}{area("includeGroups", texts.includeGroups)}</div>
          <div className="row top">{area("excludeUsers", texts.excludeUsers)}{area("excludeGroups", texts.excludeGroups)}</div>
        </>
      )}
      {draft.kind === "adaptive" && <Textarea label={texts.query} description={texts.queryHint} value={draft.query} onChange={(e) => change({ query: e.currentTarget.value })} rows={3} required maxLength={4096} error={wrong("scope.query")} styles={{ input: { fontFamily: "var(--mono)" } }} />}
    </>
  );
}
