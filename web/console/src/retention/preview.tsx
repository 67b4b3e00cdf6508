import { count } from "../api/figures";
import type { Preview } from "../api/retention";
import { Name } from "../parts/facts";
import { type Column, DataTable } from "../parts/table";
import { keepTexts } from "../texts/keep";
import "./retention.css";

const texts = keepTexts.preview;
type Total = Preview["totals"][number];
type Meeting = Preview["meetings"][number];

/** What a change would do, in one sentence and then in figures. */
export function PreviewBox({ preview, hold = false }: { preview: Preview; hold?: boolean }) {
  const sum = (of: (t: Total) => number): number => preview.totals.reduce((total, t) => total + of(t), 0);
  const [things, atOnce] = [sum((t) => t.things), sum((t) => t.at_once)];
  return (
    <section className={atOnce > 0 ? "preview grave" : "preview"} aria-label={texts.title} role="status">
      <p>
        <strong>{things === 0 ? texts.nothing : hold ? texts.covers(count(things)) : texts.touched(count(things))}</strong> {atOnce > 0 && <strong>{texts.atOnce(count(atOnce))}</strong>}
      </p>
      {!preview.complete && <p>{texts.incomplete}</p>}
      {things > 0 && <DataTable<Total> compact label={texts.title} columns={hold ? holdColumns : columns} rows={preview.totals} rowId={(t) => t.class} />}
      {preview.meetings.length > 0 && <DataTable<Meeting> compact label={texts.meetings} title={<h3>{texts.meetings}</h3>} columns={meetingColumns} rows={preview.meetings} rowId={(m) => m.meeting_id} />}
    </section>
  );
}

const figure = (id: keyof Total, header: string): Column<Total> => ({ id, header, right: true, value: (t) => t[id], cell: (t) => count(t[id] as number) });
const kind: Column<Total> = { id: "class", header: texts.columns.class, wide: true, value: (t) => keepTexts.classNames[t.class] ?? t.class };
const columns: Column<Total>[] = [
  kind, figure("things", texts.columns.things), figure("at_once", texts.columns.at_once), figure("deleted", texts.columns.deleted), figure("sooner", texts.columns.sooner),
  figure("later", texts.columns.later), figure("newly_deleted", texts.columns.newly), figure("no_longer_deleted", texts.columns.no_longer),
];
const holdColumns: Column<Total>[] = [kind, figure("things", texts.columns.things), figure("held", texts.columns.held)];
const meetingColumns: Column<Meeting>[] = [
  { id: "title", header: texts.meetingColumns.title, wide: true, value: (m) => m.title || (m.meeting_id === "" ? texts.noMeeting : m.meeting_id), cell: (m) => <Name text={m.title || (m.meeting_id === "" ? texts.noMeeting : m.meeting_id)} /> },
  { id: "things", header: texts.meetingColumns.things, right: true, value: (m) => m.things, cell: (m) => count(m.things) },
  { id: "at_once", header: texts.meetingColumns.at_once, right: true, value: (m) => m.at_once, cell: (m) => count(m.at_once) },
  { id: "deleted", header: texts.meetingColumns.deleted, right: true, value: (m) => m.deleted, cell: (m) => count(m.deleted) },
  { id: "first_day", header: texts.meetingColumns.first, value: (m) => m.first_day },
];
