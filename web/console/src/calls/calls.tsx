import { Button } from "@mantine/core";
import { IconFileCertificate } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Call, callPage, callsQuery, qualityQuery } from "../api/analytics";
import { type Filters, filtersOf } from "../api/filters";
import { count, percent } from "../api/figures";
import { mayUse, useSession } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Trouble, Waiting } from "../parts/states";
import { DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { callColumns } from "./columns";
import { FilterBar, windowText } from "./filter-bar";
import { Histogram } from "./histogram";
import "./calls.css";

/** At most so many calls go into a file at once. */
const MAX_FILE = 10_000;
const FILE_PAGE = 500;

/** Which calls were bad? */
export function Calls() {
  const [search, change] = useAddress();
  const { roles } = useSession();
  const filters = useMemo(() => filtersOf(search), [search]);
  const sort = search["sort"] ?? "-started_at";
  const calls = useInfiniteQuery(callsQuery(filters, sort));
  const rows = useMemo(() => calls.data?.pages.flatMap((page) => page.calls) ?? [], [calls.data]);
  const visible = search["columns"]?.split(",");
  return (
    <Screen title={callTexts.title} question={callTexts.question} actions={<>{mayUse("reports", roles) && <Go to="/reports" state={{ ...filters, new: "calls" }} className="button"><IconFileCertificate size={16} stroke={1.75} aria-hidden />{callTexts.report}</Go>}<Share /></>}>
      <FilterBar filters={filters} screen="calls" />
      <Histogram filters={filters} zoom={(from, to) => change({ from, to, last: undefined })} />
      {calls.error && rows.length === 0 ? (
        <Trouble error={calls.error} retry={() => void calls.refetch()} />
      ) : calls.isPending ? (
        <Waiting rows={10} height={24} />
      ) : (
        <DataTable<Call>
          label={callTexts.title}
          title={<Summary filters={filters} shown={rows.length} more={calls.hasNextPage} />}
          columns={callColumns}
          rows={rows}
          rowId={(c) => c.call_id}
          open={(c) => ({ to: `/calls/${c.call_id}` })}
          sort={{ by: sort, change: (by) => change({ sort: by || undefined }, { replace: true }) }}
          visible={{ names: visible, change: (names) => change({ columns: names.join(",") }, { replace: true }) }}
          all={() => everyCall(filters, sort)}
          empty={<NoCalls filters={filters} />}
          foot={
            calls.hasNextPage && (
              <div className="row">
                <Button onClick={() => void calls.fetchNextPage()} loading={calls.isFetchingNextPage}>
                  {commonTexts.loadMore}
                </Button>
                <span className="quiet small">{callTexts.soFar(count(rows.length))}</span>
              </div>
            )
          }
        />
      )}
    </Screen>
  );
}

function Summary({ filters, shown, more }: { filters: Filters; shown: number; more: boolean }) {
  const totals = useQuery({ ...qualityQuery(filters, undefined), retry: false });
  const t = totals.data?.totals;
  if (t?.calls === 0) return null;
  if (!t) return <span className="quiet">{more ? callTexts.soFar(count(shown)) : ""}</span>;
  return <strong className="num">{callTexts.summary(count(t.calls), count(t.calls_poor), percent(t.calls === 0 ? null : t.calls_poor / t.calls))}</strong>;
}

function NoCalls({ filters }: { filters: Filters }) {
  const [, change] = useAddress();
  const wider = { "15m": "1h", "1h": "24h", "24h": "7d", "7d": "30d", "30d": "90d" }[filters.last ?? "24h"];
  const filtered = Object.keys(filters).some((name) => !["from", "to", "last"].includes(name));
  const widen = wider ? (callTexts.last[wider] ?? wider) : undefined;
  return (
    <Empty
      title={callTexts.emptyTitle(windowText(filters))}
      action={widen && <Button onClick={() => change({ last: wider, from: undefined, to: undefined })}>{callTexts.widen(widen)}</Button>}
    >
      {filtered ? callTexts.emptyFiltered : callTexts.emptyTime(widen ?? callTexts.last["90d"] ?? "")}
    </Empty>
  );
}

async function everyCall(filters: Filters, sort: string): Promise<{ rows: Call[]; cut: boolean }> {
  const rows: Call[] = [];
  let page: string | undefined;
  do {
    const found = await callPage(filters, sort, page, FILE_PAGE);
    rows.push(...found.calls);
    page = found.next_page_token ?? undefined;
  } while (page !== undefined && rows.length < MAX_FILE);
  return { rows, cut: page !== undefined };
}
