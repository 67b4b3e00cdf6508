import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Policy, policiesQuery } from "../api/retention";
import { mayUse, useHas, useSession } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Chip, Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";
import { State } from "./state";
import { actionText, scopeText } from "./texts";
import "./retention.css";

const texts = keepTexts.retention;

/** What is kept, what goes when, can I prove it? */
export function Retention() {
  const [search, change] = useAddress();
  const { roles } = useSession();
  const mayChange = useHas("admin");
  const mayProve = mayUse("reports", roles);
  const tab = search["tab"] === "policies" ? "policies" : "state";
  return (
    <Screen
      title={texts.title}
      question={texts.question}
      actions={
        <>
          {mayChange && <Go to="/retention/new" className="button">{texts.newPolicy}</Go>}
          {mayProve && <Go to="/reports" state={{ new: "retention" }} className="button primary">{texts.newReport}</Go>}
          <Share />
        </>
      }
    >
      <Tabs value={tab} onChange={(value) => change({ tab: value === "policies" ? "policies" : undefined })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="state">{texts.tabs.state}</Tabs.Tab>
          <Tabs.Tab value="policies">{texts.tabs.policies}</Tabs.Tab>
        </Tabs.List>
        <div className="tab-body">
          <Tabs.Panel value="state"><State /></Tabs.Panel>
          <Tabs.Panel value="policies"><Policies /></Tabs.Panel>
        </div>
      </Tabs>
    </Screen>
  );
}

const columns: Column<Policy>[] = [
  { id: "name", header: texts.columns.name, value: (p) => p.name, cell: (p) => <Go to={`/retention/${p.id}`}><Name text={p.name} /></Go> },
  { id: "scope", header: texts.columns.scope, wide: true, value: (p) => scopeText(p.scope), cell: (p) => <Name text={scopeText(p.scope)} /> },
  { id: "action", header: texts.columns.action, value: actionText },
  {
    id: "state",
    header: texts.columns.state,
    value: (p) => `${p.enabled ? texts.on : texts.off}${p.locked ? `, ${texts.locked}` : ""}`,
    cell: (p) => (
      <span className="row tight">
        <Chip tone={p.enabled ? "good" : "plain"}>{p.enabled ? texts.on : texts.off}</Chip>
        {p.locked && <Chip tone="held">{texts.locked}</Chip>}
      </span>
    ),
  },
  { id: "updated_at", header: texts.columns.changed, value: (p) => p.updated_at, cell: (p) => <Time at={p.updated_at} /> },
  { id: "updated_by", header: texts.columns.by, value: (p) => p.updated_by, cell: (p) => <Name text={p.updated_by} /> },
];

function Policies() {
  const policies = useQuery(policiesQuery);
  return (
    <Loaded query={policies}>
      {(rows) => (
        <DataTable<Policy>
          label={texts.policies}
          columns={columns}
          rows={rows}
          rowId={(p) => p.id}
          open={(p) => ({ to: `/retention/${p.id}` })}
          empty={<Empty title={texts.noPolicies}>{texts.noPoliciesText}</Empty>}
        />
      )}
    </Loaded>
  );
}
