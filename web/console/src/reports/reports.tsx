import { Button, Drawer, Progress } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { count } from "../api/figures";
import { FILTERS } from "../api/filters";
import { type Export, exportsQuery } from "../api/retention";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Chip, Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { commonTexts } from "../texts/common";
import { keepTexts } from "../texts/keep";
import { NewReport } from "./new-report";
import "./reports.css";

const texts = keepTexts.reports;

/** What was kept, what is gone, and the proof of it. */
export function Reports() {
  const [search, change] = useAddress();
  const reports = useQuery(exportsQuery);
  return (
    <Screen
      title={texts.title}
      question={texts.question}
      actions={
        <>
          <Button variant="filled" onClick={() => change({ new: "retention" })}>{texts.new}</Button>
          <Share />
        </>
      }
    >
      <Loaded query={reports}>
        {(rows) => (
          <DataTable<Export> label={texts.title} columns={columns} rows={rows} rowId={(e) => e.export_id} open={(e) => ({ to: `/reports/${e.export_id}` })} empty={<Empty title={texts.none}>{texts.noneText}</Empty>} />
        )}
      </Loaded>
      <Drawer opened={search["new"] !== undefined} onClose={() => change({ new: undefined, ...Object.fromEntries(FILTERS.map((name) => [name, undefined])) })} position="right" size={440} title={texts.new} closeButtonProps={{ "aria-label": commonTexts.close }}>
        <NewReport kind={search["new"]} />
      </Drawer>
    </Screen>
  );
}

/** How far a job is: a bar while it runs, a word with a shape otherwise. */
export function JobState({ job }: { job: Pick<Export, "state" | "percent"> }) {
  const text = texts.states[job.state] ?? job.state;
  if (job.state === "running" || job.state === "queued") {
    return (
      <span className="job">
        <Progress value={job.percent} size="sm" aria-label={text} w={72} />
        <span className="num small">{Math.floor(job.percent)} %</span>
      </span>
    );
  }
  return <Chip tone={job.state === "done" ? "good" : job.state === "failed" ? "poor" : job.state === "awaiting_approval" ? "due" : "plain"}>{text}</Chip>;
}

const columns: Column<Export>[] = [
  { id: "requested_at", header: texts.columns.asked, value: (e) => e.requested_at, cell: (e) => <Time at={e.requested_at} /> },
  { id: "kind", header: texts.columns.kind, wide: true, value: (e) => texts.kindNames[e.kind] ?? e.kind, cell: (e) => <Go to={`/reports/${e.export_id}`}>{texts.kindNames[e.kind] ?? e.kind}</Go> },
  { id: "range", header: texts.columns.range, value: (e) => `${e.from} – ${e.to}`, cell: (e) => <span className="row tight nowrap"><Time at={e.from} /> – <Time at={e.to} /></span> },
  { id: "region", header: texts.columns.region, value: (e) => e.region ?? texts.allRegions },
  { id: "state", header: texts.columns.state, value: (e) => e.state, cell: (e) => <JobState job={e} /> },
  { id: "rows", header: texts.columns.rows, right: true, value: (e) => e.rows, cell: (e) => count(e.rows) },
  { id: "by", header: texts.columns.by, value: (e) => e.requested_by, cell: (e) => <Name text={e.requested_by} /> },
  { id: "expires_at", header: texts.columns.expires, value: (e) => e.expires_at, cell: (e) => <Time at={e.expires_at} /> },
];
