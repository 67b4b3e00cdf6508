import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DECISION_FILTERS, type Decision, type DecisionFilters, decisionPage, decisionsQuery } from "../api/decisions";
import { count } from "../api/figures";
import { useOrg } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Trouble, Waiting } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import type { Search } from "../router";
import { commonTexts } from "../texts/common";
import { decisionTexts as texts } from "../texts/decisions";
import { DecisionFilterBar } from "./filter-bar";
import { EffectChip } from "./effect";
import "./decisions.css";

/** At most so many decisions go into a file at once. */
const MAX_FILE = 10_000;
const FILE_PAGE = 500;

/** The filters of an address; without any time, the last 24 hours. */
export function decisionFilters(search: Search): DecisionFilters {
  const out: DecisionFilters = {};
  for (const name of [...DECISION_FILTERS, "from", "to", "last"] as const) if (search[name] !== undefined) out[name] = search[name];
  if (out.from === undefined && out.to === undefined && out.last === undefined) out.last = "24h";
  return out;
}

/** Who was refused what, and why? */
export function Decisions() {
  const org = useOrg();
  const [search, change] = useAddress();
  const filters = useMemo(() => decisionFilters(search), [search]);
  const decisions = useInfiniteQuery({ ...decisionsQuery(org ?? "", filters), enabled: org !== undefined });
  const rows = useMemo(() => decisions.data?.pages.flatMap((page) => page.decisions) ?? [], [decisions.data]);
  return (
    <Screen title={texts.title} question={texts.question} actions={<Share />}>
      <DecisionFilterBar filters={filters} />
      {decisions.error && rows.length === 0 ? (
        <Trouble error={decisions.error} retry={() => void decisions.refetch()} />
      ) : decisions.isPending ? (
        <Waiting rows={10} height={24} />
      ) : (
        <DataTable<Decision>
          label={texts.title}
          title={<span className="quiet small">{texts.soFar(count(rows.length))}</span>}
          columns={COLUMNS}
          rows={rows}
          rowId={(d) => d.decision_id}
          open={(d) => ({ to: `/decisions/${d.decision_id}` })}
          visible={{ names: search["columns"]?.split(","), change: (names) => change({ columns: names.join(",") }, { replace: true }) }}
          all={() => everyDecision(org ?? "", filters)}
          empty={<NoDecisions filters={filters} />}
          foot={decisions.hasNextPage && <div className="row"><Button onClick={() => void decisions.fetchNextPage()} loading={decisions.isFetchingNextPage}>{commonTexts.loadMore}</Button></div>}
        />
      )}
    </Screen>
  );
}

function NoDecisions({ filters }: { filters: DecisionFilters }) {
  const [, change] = useAddress();
  const wider = { "1h": "24h", "24h": "7d", "7d": "30d" }[filters.last ?? ""];
  const name = wider ? texts.last[wider] : undefined;
  return <Empty title={texts.empty} action={name && <Button onClick={() => change({ last: wider, from: undefined, to: undefined })}>{texts.widen(name)}</Button>}>{texts.emptyText}</Empty>;
}

async function everyDecision(org: string, filters: DecisionFilters): Promise<{ rows: Decision[]; cut: boolean }> {
  const rows: Decision[] = [];
  let page: string | undefined;
  do {
    const found = await decisionPage(org, filters, page, FILE_PAGE);
    rows.push(...found.decisions);
    page = found.next_page_token ?? undefined;
  } while (page !== undefined && rows.length < MAX_FILE);
  return { rows, cut: page !== undefined };
}

const COLUMNS: Column<Decision>[] = [
  { id: "at", header: texts.columns.at, sortable: false, value: (d) => d.at, cell: (d) => <Go to={`/decisions/${d.decision_id}`}><Time at={d.at} seconds /></Go> },
  { id: "action", header: texts.columns.action, sortable: false, value: (d) => texts.of(d.action, d.capability) },
  { id: "effect", header: texts.columns.effect, sortable: false, value: (d) => d.effect, cell: (d) => <EffectChip effect={d.error === null ? d.effect : "error"} /> },
  { id: "reasons", header: texts.columns.reasons, sortable: false, wide: true, value: (d) => d.reasons.join(", "), cell: (d) => <span className="row tight nowrap">{d.reasons.map((r) => <code key={r} className="list-code">{r}</code>)}</span> },
  { id: "rules", header: texts.columns.rules, sortable: false, value: (d) => d.rules.join(", ") },
  { id: "revision", header: texts.columns.revision, sortable: false, value: (d) => d.revision, cell: (d) => <bdi title={d.revision}>{texts.policy(d.revision)}</bdi> },
  { id: "evaluation_us", header: texts.columns.evaluation_us, sortable: false, right: true, value: (d) => d.evaluation_us, cell: (d) => texts.took(count(d.evaluation_us)) },
  { id: "source", header: texts.columns.source, sortable: false, hidden: true, value: (d) => d.source },
  { id: "call_id", header: texts.columns.call_id, sortable: false, hidden: true, value: (d) => d.call_id, cell: (d) => <Name text={d.call_id} /> },
];
