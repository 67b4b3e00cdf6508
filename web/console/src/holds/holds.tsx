import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Hold, holdsQuery } from "../api/retention";
import { useHas } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Chip, Name, Shape, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";

const texts = keepTexts.holds;

/** Which of the three a hold is on, and its id. */
export function targetOf(hold: Pick<Hold, "meeting" | "user" | "resource">): { on: "meeting" | "user" | "resource"; id: string } {
  if (hold.meeting) return { on: "meeting", id: hold.meeting };
  return hold.user ? { on: "user", id: hold.user } : { on: "resource", id: hold.resource ?? "" };
}

/** What must not be deleted, and why? */
export function Holds() {
  const [search, change] = useAddress();
  const mayChange = useHas("admin");
  const holds = useQuery(holdsQuery);
  const filter = search["state"] ?? "all";
  return (
    <Screen
      title={texts.title}
      question={texts.question}
      actions={
        <>
          {mayChange && <Go to="/holds/new" className="button primary">{texts.new}</Go>}
          <Share />
        </>
      }
    >
      <Loaded query={holds}>
        {(all) => (
          <DataTable<Hold>
            label={texts.title}
            title={
              <SegmentedControl
                size="xs"
                aria-label={texts.columns.state}
                value={filter}
                onChange={(value) => change({ state: value === "all" ? undefined : value }, { replace: true })}
                data={Object.entries(texts.filter).map(([value, label]) => ({ value, label }))}
              />
            }
            columns={columns}
            rows={all.filter((h) => filter === "all" || (filter === "released") === (h.released_at !== undefined))}
            rowId={(h) => h.id}
            open={(h) => ({ to: `/holds/${h.id}` })}
            empty={<Empty title={texts.none}>{texts.noneText}</Empty>}
          />
        )}
      </Loaded>
    </Screen>
  );
}

/** Whether a hold still holds, as a word with a shape. */
export function HoldState({ hold }: { hold: Hold }) {
  return hold.released_at === undefined ? <Chip tone="held"><Shape kind="held" /> {texts.holding}</Chip> : <Chip>{texts.released}</Chip>;
}

const columns: Column<Hold>[] = [
  { id: "on", header: texts.columns.on, value: (h) => texts.of[targetOf(h).on] },
  { id: "what", header: texts.columns.what, value: (h) => targetOf(h).id, cell: (h) => <Go to={`/holds/${h.id}`}><Name text={targetOf(h).id} /></Go> },
  { id: "reason", header: texts.columns.reason, wide: true, value: (h) => h.reason, cell: (h) => <Name text={h.reason} /> },
  { id: "state", header: texts.columns.state, value: (h) => (h.released_at === undefined ? texts.holding : texts.released), cell: (h) => <HoldState hold={h} /> },
  { id: "placed_at", header: texts.columns.placed, value: (h) => h.placed_at, cell: (h) => <Time at={h.placed_at} /> },
  { id: "placed_by", header: texts.columns.by, value: (h) => h.placed_by, cell: (h) => <Name text={h.placed_by} /> },
];
