import { SegmentedControl } from "@mantine/core";
import type { Participant, Stream } from "../api/analytics";
import { bitrate, ms, percent } from "../api/figures";
import { length } from "../api/times";
import { useAddress } from "../frame/search-state";
import { Chip, Name, Time, Verdict } from "../parts/facts";
import { Go } from "../parts/go";
import { reasonText, valueName } from "../parts/reasons";
import { Empty } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import type { CallParts } from "./overview";
import type { People } from "./people";
import { EventTable } from "./timeline";

/** The rows as the API has them. */
export function Raw({ call, participants, streams, timeline, people }: CallParts) {
  const [search, change] = useAddress();
  const rows = search["rows"] ?? "streams";
  return (
    <div className="stack">
      <div className="row">
        <SegmentedControl
          size="xs"
          aria-label={callTexts.tabs["raw"] ?? ""}
          value={rows}
          onChange={(value) => change({ rows: value === "streams" ? undefined : value }, { replace: true })}
          data={[
            { value: "streams", label: callTexts.raw.streams },
            { value: "participants", label: callTexts.raw.participants },
            { value: "timeline", label: callTexts.raw.timeline },
            { value: "call", label: callTexts.raw.call },
          ]}
        />
      </div>
      {rows === "participants" ? (
        <Participants rows={participants} people={people} />
      ) : rows === "timeline" ? (
        <EventTable entries={timeline.entries} people={people} cut={timeline.cut} />
      ) : rows === "call" ? (
        <pre className="raw-json" tabIndex={0} role="region" aria-label={callTexts.raw.call_json}>{JSON.stringify(call, null, 2)}</pre>
      ) : (
        <Streams call={call.call_id} rows={streams} people={people} />
      )}
    </div>
  );
}

const names = callTexts.call_columns;

const known = (value: number | null, text: (value: number) => string): string => (value === null ? commonTexts.notKnown : text(value));

function Streams({ call, rows, people }: { call: string; rows: readonly Stream[]; people: People }) {
  const figure = (id: keyof Stream, header: string, text: (value: number) => string, hidden = false): Column<Stream> => ({
    id, header, right: true, hidden, value: (s) => s[id] as number | null, cell: (s) => known(s[id] as number | null, text),
  });
  const fixed = (digits: number) => (value: number) => value.toFixed(digits);
  const columns: Column<Stream>[] = [
    { id: "verdict", header: callTexts.columns.verdict, value: (s) => s.verdict, cell: (s) => <span title={s.unknown_cause ?? s.reasons.map(reasonText).join("\n")}><Verdict verdict={s.verdict} /></span> },
    { id: "who", header: callTexts.columns.who, value: (s) => people(s.participant_id, s.participant_label), cell: (s) => <Name text={people(s.participant_id, s.participant_label)} /> },
    { id: "media", header: names.media, value: (s) => s.media, cell: (s) => <Go to={`/calls/${call}`} state={{ tab: "timeline", stream: s.stream_id }}>{valueName(s.media)}</Go> },
    { id: "direction", header: names.direction, value: (s) => s.direction, cell: (s) => valueName(s.direction) },
    { id: "codec", header: names.codec, value: (s) => s.codec },
    figure("loss_ratio", names.loss, percent),
    figure("jitter_ms_avg", names.jitter, ms),
    figure("rtt_ms_avg", names.rtt, ms),
    figure("bitrate_avg", names.bitrate, bitrate),
    figure("frame_rate_avg", names.frames, fixed(1)),
    figure("height_avg", names.height, fixed(0)),
    figure("freeze_ms_per_min", names.freezes, ms),
    figure("healed_ratio", names.healed, percent),
    figure("mos_estimate", names.mos, fixed(2)),
    { id: "side", header: callTexts.columns.side, value: (s) => s.likely_side, cell: (s) => (s.likely_side && s.likely_side !== "none" ? valueName(s.likely_side) : "") },
    figure("packets", names.packets, String, true),
    figure("packets_lost", names.lost, String, true),
    figure("packets_repaired", names.repaired, String, true),
    figure("jitter_buffer_ms_avg", names.buffer, ms, true),
    { id: "path", header: names.path, hidden: true, value: (s) => [s.transport, s.local_candidate_type, s.remote_candidate_type].filter(Boolean).join(" ") },
    { id: "observed_by", header: names.observed, hidden: true, value: (s) => s.observed_by },
    { id: "unknown_cause", header: names.because, hidden: true, value: (s) => s.unknown_cause },
    { id: "stream_id", header: names.stream_id, hidden: true, value: (s) => s.stream_id, cell: (s) => <code>{s.stream_id}</code> },
  ];
  return (
    <DataTable<Stream>
      label={callTexts.raw.streams}
      columns={columns}
      rows={rows}
      rowId={(s) => s.stream_id}
      open={(s) => ({ to: `/calls/${call}`, state: { tab: "timeline", stream: s.stream_id } })}
      empty={<Empty title={callTexts.noSamples}>{callTexts.noSamplesText}</Empty>}
    />
  );
}

function Participants({ rows, people }: { rows: readonly Participant[]; people: People }) {
  const columns: Column<Participant>[] = [
    { id: "who", header: callTexts.columns.who, value: (p) => people(p.participant_id, p.label), cell: (p) => <span className="row tight nowrap"><Name text={people(p.participant_id, p.label)} />{p.kind !== "org_user" && <Chip>{callTexts.external}</Chip>}</span> },
    { id: "joined_at", header: names.joined, value: (p) => p.joined_at, cell: (p) => <Time at={p.joined_at} seconds /> },
    { id: "left_at", header: names.left, value: (p) => p.left_at, cell: (p) => <Time at={p.left_at} seconds /> },
    { id: "duration_ms", header: callTexts.columns.length, right: true, value: (p) => p.duration_ms, cell: (p) => known(p.duration_ms, length) },
    { id: "client", header: callTexts.filters["client"] ?? "", value: (p) => [p.client, p.client_version].filter(Boolean).join(" ") },
    { id: "os", header: names.system, value: (p) => p.os },
    { id: "end", header: names.end, value: (p) => [p.result_category, p.end_code].filter(Boolean).join(" ") },
    { id: "participant_id", header: names.participant_id, value: (p) => p.participant_id, cell: (p) => <code>{p.participant_id}</code> },
  ];
  return <DataTable<Participant> label={callTexts.raw.participants} columns={columns} rows={rows} rowId={(p) => p.participant_id} empty={<Empty title={callTexts.noEvents} />} />;
}
