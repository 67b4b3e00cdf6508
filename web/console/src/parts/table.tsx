import { ActionIcon, Button, Checkbox, Popover } from "@mantine/core";
import { IconBraces, IconColumns, IconDownload } from "@tabler/icons-react";
import {
  type ColumnDef,
  type ColumnVisibilityState,
  type SortingState,
  columnVisibilityFeature,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { type ComponentProps, type ReactNode, useMemo, useRef, useState } from "react";
import { count } from "../api/figures";
import { commonTexts } from "../texts/common";
import { type Place, useGo } from "./go";
import { useRowKeys } from "./keys";
import { type Cell, csv, fileName, save } from "./save";
import "./table.css";

/** One column: how a cell looks, and its value for sorting and for files. */
export interface Column<Row> {
  id: string;
  header: string;
  cell?: (row: Row) => ReactNode;
  value: (row: Row) => Cell;
  /** Numbers stand at the right. */
  right?: boolean;
  /** Takes what room is left. */
  wide?: boolean;
  /** Not shown unless it is chosen. */
  hidden?: boolean;
  sortable?: boolean;
}

export interface TableProps<Row> {
  /** What the rows are, for screen readers and files: "calls". */
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowId: (row: Row) => string;
  /** Where a row leads. */
  open?: ((row: Row) => Place) | undefined;
  /** Sorting by the service rather than among the rows that are here. */
  sort?: { by: string; change: (by: string) => void } | undefined;
  /** Which columns are shown, kept by the screen; without it the table keeps it itself. */
  visible?: { names: readonly string[] | undefined; change: (names: string[]) => void } | undefined;
  /** All rows for a file, where there are more than are here. */
  all?: (() => Promise<{ rows: readonly Row[]; cut: boolean }>) | undefined;
  title?: ReactNode;
  tools?: ReactNode;
  marked?: ((row: Row) => boolean) | undefined;
  empty?: ReactNode;
  foot?: ReactNode;
  /** Few and narrow columns: it stays a table on a phone. */
  narrow?: boolean;
  /** A small table beside other things: its buttons are icons. */
  compact?: boolean;
}

const features = tableFeatures({
  columnVisibilityFeature,
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric },
});

/** A table with a fixed head, sorting, a choice of columns, files, and keys; cards on a phone. */
export function DataTable<Row extends object>(props: TableProps<Row>) {
  const { columns, rows, label, open, sort, marked } = props;
  const to = useGo();
  const body = useRef<HTMLTableSectionElement>(null);
  const [sorting, setSorting] = useState<SortingState>([]);
  const [own, setOwn] = useState<readonly string[]>();
  const names = props.visible?.names ?? own ?? columns.filter((c) => !c.hidden).map((c) => c.id);
  const setNames = props.visible?.change ?? setOwn;

  const defs = useMemo(
    () =>
      columns.map(
        (c): ColumnDef<typeof features, Row> => ({
          id: c.id,
          accessorFn: (row: Row) => c.value(row) ?? undefined,
          enableSorting: c.sortable !== false,
          sortUndefined: "last",
          header: c.header,
        }),
      ),
    [columns],
  );
  const columnVisibility: ColumnVisibilityState = Object.fromEntries(columns.map((c) => [c.id, names.includes(c.id)]));
  const table = useTable({
    features,
    columns: defs,
    data: rows as Row[],
    getRowId: (row: Row) => props.rowId(row),
    manualSorting: sort !== undefined,
    state: { sorting: sort ? sortingOf(sort.by) : sorting, columnVisibility },
    onSortingChange: (update) => {
      const next = typeof update === "function" ? update(sort ? sortingOf(sort.by) : sorting) : update;
      if (sort) sort.change(next[0] ? `${next[0].desc ? "-" : ""}${next[0].id}` : "");
      else setSorting(next);
    },
  });
  const shown = columns.filter((c) => names.includes(c.id));
  const sorted = table.getRowModel().rows;
  const onKeyDown = useRowKeys(body, open !== undefined);
  const go = (row: Row): void => (open ? to(open(row)) : undefined);

  return (
    <section className="table-box">
      <div className="table-tools">
        <div className="grow">{props.title}</div>
        {props.tools}
        {rows.length > 0 && (
          <>
            <ColumnChoice columns={columns} names={names} change={setNames} compact={props.compact ?? false} />
            <Files {...props} shown={shown} sorted={sorted.map((r) => r.original)} />
          </>
        )}
      </div>
      {rows.length === 0 ? (
        props.empty
      ) : (
        <div className="table-scroll" role="region" aria-label={label} tabIndex={0}>
          <table className={props.narrow ? "table narrow" : "table"} role="table">
            <thead role="rowgroup">
              <tr role="row">
                {shown.map((c) => {
                  const column = table.getColumn(c.id);
                  const direction = column?.getIsSorted();
                  return (
                    <th key={c.id} role="columnheader" scope="col" className={cellClass(c)} aria-sort={direction === "asc" ? "ascending" : direction === "desc" ? "descending" : undefined}>
                      {column?.getCanSort() ? (
                        <button type="button" className="sort" onClick={column.getToggleSortingHandler()} title={commonTexts.sortBy(c.header)}>
                          {c.header}
                          <span aria-hidden="true" className="sort-mark">
                            {direction === "asc" ? "▴" : direction === "desc" ? "▾" : ""}
                          </span>
                        </button>
                      ) : (
                        c.header
                      )}
                    </th>
                  );
                })}
              </tr>
            </thead>
            <tbody role="rowgroup" ref={body} onKeyDown={onKeyDown}>
              {sorted.map((r) => (
                <tr key={r.id} role="row" data-row data-marked={marked?.(r.original) || undefined} className={open ? "opens" : undefined} onClick={(event) => { if (open && plain(event)) go(r.original); }}>
                  {shown.map((c) => (
                    <td key={c.id} role="cell" data-label={c.header} data-none={isNone(c.value(r.original)) || undefined} className={cellClass(c)}>
                      <div className="cell">{c.cell ? c.cell(r.original) : plainCell(c.value(r.original))}</div>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {props.foot}
    </section>
  );
}

const isNone = (value: Cell): boolean => value === null || value === undefined || value === "";

const plainCell = (value: Cell): ReactNode => (isNone(value) ? <span className="quiet">{commonTexts.notKnown}</span> : String(value));

const cellClass = (c: Column<never> | Column<object>): string => [c.right ? "right" : "", c.wide ? "wide" : ""].join(" ").trim();

/** A click on the row itself, not on something within it, and not the end of marking text. */
function plain(event: React.MouseEvent): boolean {
  const within = event.target instanceof Element && event.target.closest("a, button, input, label") !== null;
  return !within && !event.defaultPrevented && (getSelection()?.isCollapsed ?? true);
}

function sortingOf(by: string): SortingState {
  if (by === "") return [];
  return [{ id: by.replace(/^-/, ""), desc: by.startsWith("-") }];
}

function ColumnChoice<Row>({ columns, names, change, compact }: { columns: Column<Row>[]; names: readonly string[]; change: (names: string[]) => void; compact: boolean }) {
  return (
    <Popover position="bottom-end" trapFocus>
      <Popover.Target>
        <Tool compact={compact} label={commonTexts.columns} icon={<IconColumns size={16} stroke={1.75} />} />
      </Popover.Target>
      <Popover.Dropdown aria-label={commonTexts.columns}>
        <div className="stack tight">
          {columns.map((c) => (
            <Checkbox
              key={c.id}
              label={c.header}
              size="xs"
              checked={names.includes(c.id)}
              disabled={names.length === 1 && names[0] === c.id}
              onChange={() => change(columns.map((o) => o.id).filter((id) => (id === c.id ? !names.includes(id) : names.includes(id))))}
            />
          ))}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

/** A button of a table: with its word or, beside small tables, as an icon alone. */
function Tool({ compact, label, icon, ...rest }: { compact: boolean; label: string; icon: ReactNode } & Omit<ComponentProps<"button">, "children" | "color" | "disabled"> & { disabled?: boolean }) {
  return compact ? (
    <ActionIcon size="sm" aria-label={label} title={label} {...rest}>
      {icon}
    </ActionIcon>
  ) : (
    <Button leftSection={icon} {...rest}>
      {label}
    </Button>
  );
}

/** CSV has the columns that are shown, JSON has all that is known of each row. */
function Files<Row extends object>({ label, all, shown, sorted, compact = false }: TableProps<Row> & { shown: Column<Row>[]; sorted: readonly Row[] }) {
  const [busy, setBusy] = useState(false);
  const [note, setNote] = useState("");
  const write = async (kind: "csv" | "json"): Promise<void> => {
    setBusy(true);
    setNote("");
    try {
      const { rows, cut } = all ? await all() : { rows: sorted, cut: false };
      const name = fileName(label.toLowerCase().replaceAll(/[^a-z]+/g, "-"), kind);
      if (kind === "json") save(name, "application/json", `${JSON.stringify(rows, null, 2)}\n`);
      else save(name, "text/csv", csv(shown.map((c) => c.header), rows.map((row) => shown.map((c) => c.value(row)))));
      setNote(cut ? commonTexts.exportCut(count(rows.length)) : commonTexts.exportAll(count(rows.length)));
    } catch (error) {
      setNote(error instanceof Error && error.message !== "" ? error.message : commonTexts.trouble);
    }
    setBusy(false);
  };
  return (
    <>
      <Tool compact={compact} label={commonTexts.csv} icon={<IconDownload size={16} stroke={1.75} />} disabled={busy} onClick={() => void write("csv")} />
      <Tool compact={compact} label={commonTexts.json} icon={<IconBraces size={16} stroke={1.75} />} disabled={busy} onClick={() => void write("json")} />
      {note !== "" && (
        <span className="small quiet" role="status">
          {note}
        </span>
      )}
    </>
  );
}
