import { Button, Textarea } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { Problem } from "../api/client";
import { type Active, type Files, type Revision, activeQuery, revisionQuery, revisionsQuery, rollback } from "../api/policies";
import { useHas } from "../api/session";
import { Chip, Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Empty, Trouble, Waiting } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { commonTexts } from "../texts/common";
import { policyTexts } from "../texts/policies";
import { Confirm } from "./confirm";
import { useAgreed, useAtOnce } from "./kept";
import { percentText } from "./tests-pane";

const texts = policyTexts.history;

/** Each revision there was, who made it and why, and the way back to it. */
export function History({ org, active }: { org: string; active: Active }) {
  const revisions = useInfiniteQuery(revisionsQuery(org));
  const mayRollBack = useHas("policy_author", "admin");
  const [to, setTo] = useState<number>();
  const [done, setDone] = useState<number>();
  const rows = useMemo(() => revisions.data?.pages.flatMap((page) => page.revisions) ?? [], [revisions.data]);
  const columns = useMemo(() => [...COLUMNS, ...(mayRollBack ? [actColumn(active, setTo)] : [])], [active, mayRollBack]);
  if (revisions.error && rows.length === 0) return <Trouble error={revisions.error} retry={() => void revisions.refetch()} />;
  if (revisions.isPending) return <Waiting />;
  return (
    <div className="stack">
      {done !== undefined && <p role="status">{texts.done(done)}</p>}
      <DataTable<Revision>
        label={policyTexts.views["history"] ?? ""}
        title={mayRollBack && hasOwnRules(active) && <Button size="compact-sm" onClick={() => setTo(0)}>{texts.rollbackTitle(0)}</Button>}
        columns={columns}
        rows={rows}
        rowId={(r) => String(r.number)}
        open={(r) => ({ to: "/policies", state: { revision: String(r.number) } })}
        marked={(r) => r.number === active.revision}
        empty={<Empty title={texts.none}>{texts.noneText}</Empty>}
        foot={revisions.hasNextPage && <div className="row"><Button onClick={() => void revisions.fetchNextPage()} loading={revisions.isFetchingNextPage}>{commonTexts.loadMore}</Button></div>}
      />
      {to !== undefined && <RollBack org={org} to={to} active={active} close={() => setTo(undefined)} done={setDone} />}
    </div>
  );
}

/** What decides is named base@… alone, or with the organisation's own behind it. */
const hasOwnRules = (active: Active): boolean => active.runtime_revision.includes("+");

const COLUMNS: Column<Revision>[] = [
  { id: "number", header: texts.columns.number, value: (r) => r.number, cell: (r) => <Go to="/policies" state={{ revision: String(r.number) }}>{texts.open(r.number)}</Go> },
  { id: "state", header: texts.columns.state, value: (r) => r.state, cell: (r) => <Chip tone={r.state === "active" ? "good" : "plain"}>{policyTexts.states[r.state] ?? r.state}</Chip> },
  { id: "message", header: texts.columns.message, wide: true, value: (r) => r.message, cell: (r) => <bdi title={r.message}>{r.message}</bdi> },
  { id: "author", header: texts.columns.author, value: (r) => r.author, cell: (r) => <Name text={r.author} /> },
  { id: "created_at", header: texts.columns.created, value: (r) => r.created_at, cell: (r) => <Time at={r.created_at} /> },
  { id: "activated_at", header: texts.columns.activated, value: (r) => r.activated_at, cell: (r) => <Time at={r.activated_at} /> },
  { id: "tests", header: texts.columns.tests, value: (r) => (r.tests ? texts.tests(r.tests.passed, r.tests.failed) : null) },
  { id: "coverage", header: texts.columns.coverage, right: true, value: (r) => r.coverage, cell: (r) => (r.coverage === null ? commonTexts.notKnown : percentText(r.coverage)) },
  { id: "parent", header: texts.columns.parent, right: true, hidden: true, value: (r) => r.parent },
];

const actColumn = (active: Active, choose: (number: number) => void): Column<Revision> => ({
  id: "act",
  header: texts.confirm,
  sortable: false,
  value: () => null,
  cell: (r) => (r.number === active.revision ? null : <Button size="compact-xs" onClick={() => choose(r.number)} aria-label={texts.rollbackTitle(r.number)}>{texts.confirm}</Button>),
});

const NO_FILES: Files = {};

function RollBack({ org, to, active, close, done }: { org: string; to: number; active: Active; close: () => void; done: (revision: number) => void }) {
  const [message, setMessage] = useState("");
  const queries = useQueryClient();
  const expected = useRef(active);
  const run = useMutation({
    mutationFn: () => rollback(org, to, message.trim(), expected.current.version),
    onSuccess: async (now) => {
      queries.setQueryData(activeQuery(org).queryKey, now);
      await queries.invalidateQueries({ queryKey: ["policy", org, "revisions"] });
      done(now.revision);
      close();
    },
    onError: () => queries.invalidateQueries({ queryKey: activeQuery(org).queryKey }),
  });
  const content = useQuery({ ...revisionQuery(org, to), enabled: to > 0 });
  const files = to === 0 ? NO_FILES : (content.data?.files ?? (content.error ? NO_FILES : undefined));
  const { agreed, ask } = useAgreed(useAtOnce(org, files));
  const conflict = run.error instanceof Problem && run.error.status === 412;
  return (
    <Confirm
      title={texts.rollbackTitle(to)}
      text={texts.rollbackText}
      confirm={texts.confirm}
      run={run}
      close={close}
      disabled={message.trim() === "" || conflict || !agreed}
      trouble={conflict && <p className="notice" role="alert">{texts.conflict(active.revision)}</p>}
    >
      {ask}
      <Textarea label={texts.why} value={message} onChange={(e) => setMessage(e.currentTarget.value)} required maxLength={1000} rows={3} data-autofocus />
    </Confirm>
  );
}
