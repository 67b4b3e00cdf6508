import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type PolicyVersion, policyHistoryQuery, policyQuery } from "../api/retention";
import { useHas } from "../api/session";
import { Share } from "../parts/copy";
import { Chip, Name, Time, Why } from "../parts/facts";
import { FetchedScreen, Screen } from "../parts/screen";
import { Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";
import { PolicyForm } from "./policy-form";
import { actionText, scopeText } from "./texts";

const texts = keepTexts.policy;

/** One retention policy: what it says, what a change would do, and what it said before. */
export function PolicyPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const mayChange = useHas("admin");
  const policy = useQuery({ ...policyQuery(id), enabled: id !== "new" });
  if (id === "new") {
    return (
      <Screen title={texts.new}>
        <PolicyForm key="new" readOnly={!mayChange} />
      </Screen>
    );
  }
  return (
    <FetchedScreen title={texts.one} list={{ to: "/retention", state: { tab: "policies" } }} query={policy}>
      {({ value, etag }) => (
        <Screen
          title={value.name}
          question={
            <span className="row">
              {actionText(value)}
              <Chip tone={value.enabled ? "good" : "plain"}>{value.enabled ? keepTexts.retention.on : keepTexts.retention.off}</Chip>
              {value.locked && <Chip tone="held">{keepTexts.retention.locked}</Chip>}
            </span>
          }
          actions={<Share />}
        >
          <PolicyForm key={etag} policy={value} etag={etag} readOnly={!mayChange} />
          <History id={id} />
        </Screen>
      )}
    </FetchedScreen>
  );
}

const columns: Column<PolicyVersion>[] = [
  { id: "version", header: texts.version, right: true, value: (v) => v.version },
  { id: "updated_at", header: texts.changed, value: (v) => v.updated_at, cell: (v) => <Time at={v.updated_at} seconds /> },
  { id: "updated_by", header: texts.by, value: (v) => v.updated_by, cell: (v) => <Name text={v.updated_by} /> },
  { id: "what", header: texts.what, wide: true, value: (v) => `${actionText(v)}; ${scopeText(v.scope)}`, cell: (v) => <Name text={`${actionText(v)}; ${scopeText(v.scope)}`} /> },
  { id: "state", header: keepTexts.retention.columns.state, value: (v) => (v.enabled ? keepTexts.retention.on : keepTexts.retention.off) },
  { id: "leaf", header: texts.leaf, value: (v) => v.leaf.digest, cell: (v) => <Why text={<code>{v.leaf.text}</code>}><code>{v.leaf.digest.slice(0, 12)}…</code></Why> },
];

function History({ id }: { id: string }) {
  const history = useQuery(policyHistoryQuery(id));
  return (
    <Loaded query={history}>
      {(versions) => <DataTable<PolicyVersion> compact label={texts.history} title={<h2>{texts.history}</h2>} columns={columns} rows={versions} rowId={(v) => String(v.version)} />}
    </Loaded>
  );
}
