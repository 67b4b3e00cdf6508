import { useQuery } from "@tanstack/react-query";
import { type Call, type Notice, type Recording, noticesQuery, recordingsQuery } from "../api/analytics";
import { bytes } from "../api/figures";
import { useHas } from "../api/session";
import { length } from "../api/times";
import { Chip, Time } from "../parts/facts";
import { Panel } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import type { People } from "./people";

const texts = callTexts.notices;

/** Proof of notice, and what was recorded. */
export function NoticesTab({ call, people }: { call: Call; people: People }) {
  const notices = useQuery(noticesQuery(call.call_id));
  const mayHear = useHas("admin", "auditor");
  const recordings = useQuery({ ...recordingsQuery(call.call_id), enabled: mayHear });
  const columns: Column<Notice>[] = [
    { id: "sent", header: texts.sent, value: (n) => n.sent_at, cell: (n) => <Time at={n.sent_at} seconds /> },
    { id: "who", header: texts.who, value: (n) => people(n.participant_id, n.participant_label), cell: (n) => <bdi>{people(n.participant_id, n.participant_label)}</bdi> },
    { id: "what", header: texts.what, wide: true, value: (n) => texts.kinds[n.kind] ?? n.kind },
    { id: "shown", header: texts.shown, value: (n) => n.acknowledged_at, cell: (n) => (n.acknowledged_at ? <Time at={n.acknowledged_at} seconds /> : <Chip tone="due">{texts.never}</Chip>) },
    { id: "participant_id", header: "Participant id", hidden: true, value: (n) => n.participant_id, cell: (n) => <code>{n.participant_id}</code> },
  ];
  return (
    <div className="stack">
      <Loaded query={notices}>
        {(rows) => (
          <DataTable<Notice>
            label={texts.title}
            title={<h2>{texts.title}</h2>}
            columns={columns}
            rows={rows}
            rowId={(n) => `${n.notice_id ?? ""}/${n.participant_id}/${n.kind}`}
            empty={<Empty title={texts.none}>{texts.noneText}</Empty>}
          />
        )}
      </Loaded>
      {mayHear && recordings.data && recordings.data.length > 0 && (
        <Panel title={texts.recordings}>
          <ul className="stack tight">{recordings.data.map((r) => <RecordingLine key={r.recording_id} recording={r} people={people} />)}</ul>
        </Panel>
      )}
    </div>
  );
}

function RecordingLine({ recording, people }: { recording: Recording; people: People }) {
  return (
    <li className="stack tight">
      <p className="row">
        <Time at={recording.started_at} seconds />
        <span className="num">{length(recording.duration_ms)}</span>
        <Chip>{recording.state}</Chip>
        <span className="quiet">{recording.region}</span>
      </p>
      <ul className="stack tight">
        {recording.tracks.map((track) => (
          <li key={track.track_id} className="row small">
            <a href={`/v1/calls/${recording.call_id}/recordings/${recording.recording_id}/files/${track.file}`} download>{track.file}</a>
            <bdi>{people(track.participant_id)}</bdi>
            <span className="quiet">{track.kind}, {track.codec}</span>
            <span className="quiet num">{length(track.duration_ms)}, {bytes(track.bytes)}</span>
          </li>
        ))}
      </ul>
    </li>
  );
}
