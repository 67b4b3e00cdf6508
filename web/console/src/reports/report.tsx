import { Button, Progress, TextInput } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Fragment, type ReactNode, useState } from "react";
import type { FilterName } from "../api/filters";
import { body, client } from "../api/client";
import { bytes, count } from "../api/figures";
import { type Export, exportQuery, exportsQuery, moves, ofCalls, ofClasses } from "../api/retention";
import { useSession } from "../api/session";
import { dayTime } from "../api/times";
import { shownValue } from "../calls/filter-chips";
import { SaveKey } from "../ledger/save-key";
import { Command, Copy, Share } from "../parts/copy";
import { Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { FetchedScreen, Panel, Screen } from "../parts/screen";
import { Empty, Trouble } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { keepTexts } from "../texts/keep";
import { JobState } from "./reports";
import "./reports.css";

const texts = keepTexts.reports;
type File = Export["files"][number];
type Access = NonNullable<Export["accesses"]>[number];

/** One report: how far it is, its files, how to verify them, and who fetched them. */
export function ReportPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const report = useQuery(exportQuery(id));
  return <FetchedScreen title={texts.one} list={{ to: "/reports" }} query={report}>{(job) => <Found job={job} />}</FetchedScreen>;
}

function Found({ job }: { job: Export }) {
  return (
    <Screen title={texts.kinds[job.kind] ?? job.kind} question={<span className="row"><span className="num"><Time at={job.from} /> – <Time at={job.to} /></span><JobState job={job} /></span>} actions={<><Copy text={job.export_id} label={commonTexts.copyId} /><Share /></>}>
      {job.failure && <p className="warn">{job.failure}</p>}
      {job.state === "awaiting_approval" && <Approval job={job} />}
      <Acts job={job} />
      {job.state !== "done" && <Running job={job} />}
      {job.files.length > 0 && <Files job={job} />}
      {job.state === "done" && <Verify job={job} />}
      <Asked job={job} />
      <Panel title={texts.access} tight>
        {(job.accesses ?? []).length === 0 ? (
          <p className="quiet">{texts.noAccess}</p>
        ) : (
          <DataTable<Access> compact label={texts.access} columns={accessColumns} rows={job.accesses ?? []} rowId={(a) => `${a.at}/${a.by}/${a.file}`} />
        )}
      </Panel>
    </Screen>
  );
}

function Running({ job }: { job: Export }) {
  return (
    <Panel title={texts.progress} tools={<span className="num small quiet">{texts.rows(count(job.rows))}</span>}>
      <ul className="stack tight">
        {job.regions.map((r) => (
          <li key={r.region} className="row nowrap">
            <span className="progress-name">{r.region}</span>
            <Progress className="grow" value={r.percent} aria-label={r.region} />
            <span className="num small progress-figure">{Math.floor(r.percent)} %</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** A small set of acts on the job: each asks the service and takes what it answers. */
function useAct(job: Export, path: "/v1/exports/{id}/cancel" | "/v1/exports/{id}/resume") {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(client.POST(path, { params: { path: { id: job.export_id } } })),
    onSuccess: async (now) => {
      queries.setQueryData(exportQuery(job.export_id).queryKey, now);
      await queries.invalidateQueries({ queryKey: exportsQuery.queryKey });
    },
  });
}

function Acts({ job }: { job: Export }) {
  const [cancel, resume] = [useAct(job, "/v1/exports/{id}/cancel"), useAct(job, "/v1/exports/{id}/resume")];
  const failed = cancel.error ?? resume.error;
  return (
    <>
      {failed && <Trouble error={failed} wrote />}
      <div className="row" hidden={!moves(job) && job.state !== "failed" && job.state !== "cancelled"}>
        {moves(job) && <Button onClick={() => cancel.mutate()} loading={cancel.isPending}>{texts.cancel}</Button>}
        {(job.state === "failed" || job.state === "cancelled") && <Button variant="filled" onClick={() => resume.mutate()} loading={resume.isPending}>{texts.resume}</Button>}
      </div>
    </>
  );
}

function Approval({ job }: { job: Export }) {
  const [reason, setReason] = useState("");
  const { subject } = useSession();
  const queries = useQueryClient();
  const approve = useMutation({
    mutationFn: () => body(client.POST("/v1/exports/{id}/approve", { params: { path: { id: job.export_id } }, body: { reason: reason.trim() } })),
    onSuccess: (now) => queries.setQueryData(exportQuery(job.export_id).queryKey, now),
  });
  return (
    <Panel title={texts.approve}>
      {job.requested_by === subject ? (
        <p>{texts.ownRequest}</p>
      ) : (
        <form className="form" onSubmit={(event) => { event.preventDefault(); approve.mutate(); }}>
          <p>{texts.approveText}</p>
          <TextInput label={texts.approveReason} value={reason} onChange={(e) => setReason(e.currentTarget.value)} required maxLength={500} />
          {approve.error && <Trouble error={approve.error} wrote />}
          <div className="row"><Button type="submit" variant="filled" loading={approve.isPending}>{texts.approve}</Button></div>
        </form>
      )}
    </Panel>
  );
}

function Files({ job }: { job: Export }) {
  const columns: Column<File>[] = [
    { id: "name", header: texts.file, value: (f) => f.name, cell: (f) => <a className="file" href={fileAddress(job, f)} download={f.name}><IconDownload size={16} stroke={1.75} aria-hidden /><Name text={f.name} /></a> },
    { id: "bytes", header: texts.size, right: true, value: (f) => f.bytes, cell: (f) => bytes(f.bytes) },
    { id: "sha256", header: texts.sha, wide: true, value: (f) => f.sha256, cell: (f) => <code title={f.sha256}>{f.sha256}</code> },
  ];
  return (
    <DataTable<File> compact
      label={texts.files}
      title={<div className="row"><h2>{texts.files}</h2>{job.expires_at && <span className="quiet small">{texts.expires(dayTime(new Date(job.expires_at)))}</span>}</div>}
      columns={columns}
      rows={job.files}
      rowId={(f) => f.name}
    />
  );
}

const fileAddress = (job: Export, file: File): string => `/v1/exports/${job.export_id}/files/${encodeURIComponent(file.name)}`;

/** What the report is about, and who asked for it. */
function Asked({ job }: { job: Export }) {
  const filter = Object.entries(job.filter ?? {});
  const facts: [string, ReactNode][] = [
    [texts.askedBy, <bdi>{job.requested_by}</bdi>],
    [texts.askedAt, <Time at={job.requested_at} seconds />],
    [texts.region, job.region ?? texts.allRegions],
  ];
  if (job.reason) facts.push([texts.reason, <bdi>{job.reason}</bdi>]);
  if (job.approval) facts.push([texts.approvedBy, <><bdi>{job.approval.by}</bdi> <Time at={job.approval.at} seconds />: <bdi>{job.approval.reason}</bdi></>]);
  if (job.meeting_id) facts.push([texts.meeting, <Go to={`/meetings/${job.meeting_id}`}><code>{job.meeting_id}</code></Go>]);
  if (job.resource_id) facts.push([texts.resource, <code>{job.resource_id}</code>]);
  if (ofClasses(job.kind)) facts.push([texts.classes, job.classes.length === 0 ? texts.everything : job.classes.map((c) => keepTexts.classNames[c] ?? c).join(", ")]);
  for (const [name, value] of filter) facts.push([callTexts.filters[name] ?? name, <bdi>{shownValue(name as FilterName, String(value))}</bdi>]);
  facts.push([texts.formatsAsked, ["JSON Lines", ...job.formats.map((f) => f.toUpperCase())].join(", ")]);
  return (
    <Panel title={texts.asked}>
      <dl className="facts">
        {facts.map(([name, value]) => <Fragment key={name}><dt>{name}</dt><dd>{value}</dd></Fragment>)}
      </dl>
    </Panel>
  );
}

/** The commands that check a report without this service. */
function Verify({ job }: { job: Export }) {
  const bundles = job.files.filter((f) => f.name.endsWith(".bundle.zip"));
  if (bundles.length === 0) return <Empty title={texts.files}>{texts.notVerifiable}</Empty>;
  return (
    <Panel title={texts.verify}>
      <div className="stack tight">
        <p>{texts.verifyText}</p>
        {(ofCalls(job.kind) || job.kind === "notices") && <p>{texts.verifyTable}</p>}
        {bundles.map((file) => {
          const region = file.name.replace(/\.bundle\.zip$/, "");
          return (
            <div key={file.name} className="stack tight">
              <div className="row"><h3 className="grow">{region}</h3><SaveKey region={region} /></div>
              <Command text={texts.verifySum(file.sha256, file.name)} />
              <Command text={texts.verifyRun(file.name, region)} />
            </div>
          );
        })}
      </div>
    </Panel>
  );
}

const accessColumns: Column<Access>[] = [
  { id: "at", header: texts.columns.asked, value: (a) => a.at, cell: (a) => <Time at={a.at} seconds /> },
  { id: "by", header: texts.columns.by, value: (a) => a.by, cell: (a) => <Name text={a.by} /> },
  { id: "file", header: texts.file, wide: true, value: (a) => a.file },
];
