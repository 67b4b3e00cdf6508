import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Organization, type Resource, type User, organizationQuery, organizationsQuery, resourcesQuery, usersQuery } from "../api/organizations";
import { useOrg } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Name, Time } from "../parts/facts";
import { Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { meetingTexts } from "../texts/meetings";
import { OrganizationForm } from "./organization-form";
import { Sites } from "./sites";

const texts = meetingTexts.settings;

/** What may guests do, and who is who? */
export function Settings() {
  const [search, change] = useAddress();
  const org = useOrg();
  const tab = texts.tabs[search["tab"] ?? ""] ? search["tab"] : "organization";
  return (
    <Screen title={texts.title} question={texts.question} actions={<Share />}>
      {org === undefined ? (
        <Organizations />
      ) : (
        <Tabs value={tab ?? "organization"} onChange={(value) => change({ tab: value === "organization" ? undefined : (value ?? undefined) })} keepMounted={false}>
          <Tabs.List>{Object.entries(texts.tabs).map(([name, label]) => <Tabs.Tab key={name} value={name}>{label}</Tabs.Tab>)}</Tabs.List>
          <div className="tab-body">
            <Tabs.Panel value="organization"><Own org={org} /></Tabs.Panel>
            <Tabs.Panel value="users"><People org={org} /></Tabs.Panel>
            <Tabs.Panel value="resources"><Resources /></Tabs.Panel>
            <Tabs.Panel value="sites"><Sites /></Tabs.Panel>
          </div>
        </Tabs>
      )}
    </Screen>
  );
}

function Own({ org }: { org: string }) {
  const found = useQuery(organizationQuery(org));
  return <Loaded query={found}>{({ value, etag }) => <OrganizationForm key={value.id} organization={value} etag={etag} />}</Loaded>;
}

const userColumns: Column<User>[] = [
  { id: "name", header: texts.userColumns.name, value: (u) => u.name, cell: (u) => <Name text={u.name} /> },
  { id: "id", header: texts.userColumns.id, value: (u) => u.id, cell: (u) => <code>{u.id}</code> },
  { id: "groups", header: texts.userColumns.groups, value: (u) => (u.groups ?? []).join(", ") },
  { id: "attributes", header: texts.userColumns.attributes, wide: true, value: (u) => Object.entries(u.attributes ?? {}).map(([k, v]) => `${k}: ${v}`).join(", ") },
  { id: "updated_at", header: texts.userColumns.changed, value: (u) => u.updated_at, cell: (u) => <Time at={u.updated_at} /> },
];

function People({ org }: { org: string }) {
  const users = useQuery(usersQuery(org));
  return <Loaded query={users}>{(rows) => <DataTable<User> label={texts.tabs["users"] ?? ""} columns={userColumns} rows={rows} rowId={(u) => u.id} empty={<Empty title={texts.noUsers}>{texts.noUsersText}</Empty>} />}</Loaded>;
}

const resourceColumns: Column<Resource>[] = [
  { id: "name", header: texts.resourceColumns.name, value: (r) => r.name, cell: (r) => <Name text={r.name} /> },
  { id: "region", header: texts.resourceColumns.region, value: (r) => r.region },
  { id: "origins", header: texts.resourceColumns.origins, wide: true, value: (r) => (r.origins ?? []).join(", ") },
  { id: "id", header: texts.resourceColumns.id, value: (r) => r.id, cell: (r) => <code>{r.id}</code> },
  { id: "updated_at", header: texts.resourceColumns.changed, value: (r) => r.updated_at, cell: (r) => <Time at={r.updated_at} /> },
];

function Resources() {
  const resources = useQuery(resourcesQuery);
  return <Loaded query={resources}>{(rows) => <DataTable<Resource> label={texts.tabs["resources"] ?? ""} columns={resourceColumns} rows={rows} rowId={(r) => r.id} empty={<Empty title={texts.noResources}>{texts.noResourcesText}</Empty>} />}</Loaded>;
}

const orgColumns: Column<Organization>[] = [
  { id: "id", header: texts.orgColumns.id, value: (o) => o.id, cell: (o) => <code>{o.id}</code> },
  { id: "name", header: texts.orgColumns.name, wide: true, value: (o) => o.name, cell: (o) => <Name text={o.name} /> },
  { id: "kind", header: texts.orgColumns.kind, value: (o) => o.kind },
  { id: "region", header: texts.orgColumns.region, value: (o) => o.region },
  { id: "updated_at", header: texts.orgColumns.changed, value: (o) => o.updated_at, cell: (o) => <Time at={o.updated_at} /> },
];

/** What an operator sees: all organisations, and nothing within them. */
function Organizations() {
  const all = useQuery(organizationsQuery);
  return <Loaded query={all}>{(rows) => <DataTable<Organization> label={texts.organizations} columns={orgColumns} rows={rows} rowId={(o) => o.id} empty={<Empty title={texts.noOrganizations} />} />}</Loaded>;
}
