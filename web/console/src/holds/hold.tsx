import { Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { body, client } from "../api/client";
import { type Hold, type HoldVersion, holdHistoryQuery, holdQuery, holdsQuery } from "../api/retention";
import { useHas } from "../api/session";
import { Share } from "../parts/copy";
import { Name, Time, Why } from "../parts/facts";
import { Go } from "../parts/go";
import { FetchedScreen, Panel, Screen } from "../parts/screen";
import { Loaded, Trouble } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";
import { HoldState, targetOf } from "./holds";
import { NewHold } from "./new-hold";

const texts = keepTexts.holds;

/** One hold: what it covers, why, and its end. */
export function HoldPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const hold = useQuery({ ...holdQuery(id), enabled: id !== "new" });
  if (id === "new") return <NewHold />;
  return <FetchedScreen title={texts.one} list={{ to: "/holds" }} query={hold}>{({ value, etag }) => <Found hold={value} etag={etag} />}</FetchedScreen>;
}

function Found({ hold, etag }: { hold: Hold; etag: string }) {
  const { on, id } = targetOf(hold);
  const mayChange = useHas("admin");
  return (
    <Screen title={hold.reason} question={<HoldState hold={hold} />} actions={<Share />}>
      <Panel title={texts.covers[on]}>
        <dl className="facts">
          <dt>{texts.ids[on]}</dt>
          <dd>{on === "meeting" ? <Go to={`/meetings/${id}`}><code>{id}</code></Go> : on === "user" ? <Go to="/calls" state={{ user: id, last: "90d" }}><code>{id}</code></Go> : <code>{id}</code>}</dd>
          <dt>{texts.columns.placed}</dt>
          <dd><Time at={hold.placed_at} seconds /></dd>
          <dt>{texts.columns.by}</dt>
          <dd><bdi>{hold.placed_by}</bdi></dd>
          {hold.released_at && (
            <>
              <dt>{texts.released}</dt>
              <dd><Time at={hold.released_at} seconds /></dd>
              <dt>{texts.releasedBy}</dt>
              <dd><bdi>{hold.released_by}</bdi></dd>
              {hold.release_reason && (
                <>
                  <dt>{texts.releaseReason}</dt>
                  <dd><bdi>{hold.release_reason}</bdi></dd>
                </>
              )}
            </>
          )}
        </dl>
      </Panel>
      {mayChange && hold.released_at === undefined && <Release hold={hold} etag={etag} />}
      <History id={hold.id} />
    </Screen>
  );
}

function Release({ hold, etag }: { hold: Hold; etag: string }) {
  const [why, setWhy] = useState("");
  const queries = useQueryClient();
  const release = useMutation({
    mutationFn: () =>
      body(client.PATCH("/v1/retention/holds/{id}", { params: { path: { id: hold.id }, header: { "If-Match": etag } }, body: { released: true, ...(why.trim() !== "" && { release_reason: why.trim() }) } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: holdsQuery.queryKey }),
  });
  return (
    <Panel title={texts.release}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          release.mutate();
        }}
      >
        <p>{texts.releaseText}</p>
        <TextInput label={texts.releaseReason} value={why} onChange={(e) => setWhy(e.currentTarget.value)} maxLength={256} required />
        {release.error && <Trouble error={release.error} wrote />}
        <div className="row">
          <Button type="submit" variant="filled" color="red" loading={release.isPending}>{texts.release}</Button>
        </div>
      </form>
    </Panel>
  );
}

const columns: Column<HoldVersion>[] = [
  { id: "version", header: keepTexts.policy.version, right: true, value: (v) => v.version },
  { id: "updated_at", header: keepTexts.policy.changed, value: (v) => v.updated_at, cell: (v) => <Time at={v.updated_at} seconds /> },
  { id: "updated_by", header: keepTexts.policy.by, value: (v) => v.updated_by, cell: (v) => <Name text={v.updated_by} /> },
  { id: "state", header: texts.columns.state, wide: true, value: (v) => (v.released_at === undefined ? texts.holding : texts.released), cell: (v) => <HoldState hold={v} /> },
  { id: "leaf", header: keepTexts.policy.leaf, value: (v) => v.leaf.digest, cell: (v) => <Why text={<code>{v.leaf.text}</code>}><code>{v.leaf.digest.slice(0, 12)}…</code></Why> },
];

function History({ id }: { id: string }) {
  const history = useQuery(holdHistoryQuery(id));
  return (
    <Loaded query={history}>
      {(rows) => <DataTable<HoldVersion> compact label={keepTexts.policy.history} title={<h2>{keepTexts.policy.history}</h2>} columns={columns} rows={rows} rowId={(v) => String(v.version)} />}
    </Loaded>
  );
}
