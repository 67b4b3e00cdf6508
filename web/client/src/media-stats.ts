import { Emitter } from "./emitter.js";
import type { TrackKind, TrackStats } from "./protocol.js";

/** Figures of one stream over one second. What the browser doesn't tell is undefined. */
export interface StreamSample {
  /** The server's id of the track. */
  id: string;
  mediaType: "audio" | "video" | "screenShare";
  direction: "send" | "receive";
  transportId: string | undefined;
  codecName: string | undefined;
  /** Bits per second. */
  bitrate: number | undefined;
  jitterInMs: number | undefined;
  /** Since the start of the stream. */
  packets: number | undefined;
  packetsPerSecond: number | undefined;
  packetsLost: number | undefined;
  packetsLostPerSecond: number | undefined;
  rttInMs: number | undefined;
  jitterBufferDelayInMs: number | undefined;
  /** Concealed, not silent, samples of all samples of the second, 0 to 1. */
  healedRatio: number | undefined;
  audioLevel: number | undefined;
  frameRate: number | undefined;
  frameWidth: number | undefined;
  frameHeight: number | undefined;
  /** In the second. */
  frames: number | undefined;
  framesDropped: number | undefined;
  freezes: number | undefined;
  freezeDurationInMs: number | undefined;
}

/** Figures of one network path over one second. */
export interface TransportSample {
  id: string;
  rttInMs: number | undefined;
  /** Bits per second that could be sent, as estimated. */
  availableBitrate: number | undefined;
  localCandidate: "host" | "srflx" | "prflx" | "relay" | undefined;
  protocol: "udp" | "tcp" | "tls" | undefined;
}

export interface MediaStatsSample {
  timestamp: Date;
  streams: StreamSample[];
  transports: TransportSample[];
}

/** Average, least and greatest of a figure over a summary's samples. */
export interface Aggregate {
  avg: number;
  min: number;
  max: number;
}

/** One stream over ten seconds: aggregates by the figure's name. */
export interface StreamSummary {
  id: string;
  mediaType: StreamSample["mediaType"];
  direction: StreamSample["direction"];
  codecName: string | undefined;
  transportId: string | undefined;
  aggregates: Partial<Record<NumberField, Aggregate>>;
}

export interface MediaStatsSummary {
  from: Date;
  to: Date;
  streams: StreamSummary[];
}

export interface MediaStatsEvents {
  /** Each second. */
  sampleReported: MediaStatsSample;
  /** Each ten seconds. */
  summaryReported: MediaStatsSummary;
}

type NumberField = { [K in keyof StreamSample]: StreamSample[K] extends number | undefined ? K : never }[keyof StreamSample];

const SAMPLE_MS = 1_000;
const SUMMARY_SAMPLES = 10;
/** A batch to the server has so many samples: it takes one batch a second at most. */
const BATCH_SAMPLES = 2;

/** What is measured: the two connections, and whose track is where. */
export interface StatsSource {
  peers(): RTCPeerConnection[];
  /** The track of a media section, by peer connection and mid. */
  trackOf(peer: RTCPeerConnection, mid: string): { id: string; kind: TrackKind; direction: "send" | "receive" } | undefined;
  /** Takes a batch for the server. */
  report(tracks: TrackStats[]): void;
}

// getStats as it is in browsers, beyond what TypeScript's library knows.
interface RtpStats {
  id: string; type: string; timestamp: number; kind?: string; mid?: string; transportId?: string; codecId?: string; remoteId?: string;
  bytesSent?: number; bytesReceived?: number; packetsSent?: number; packetsReceived?: number; packetsLost?: number; packetsDiscarded?: number;
  jitter?: number; roundTripTime?: number; jitterBufferDelay?: number; jitterBufferEmittedCount?: number; concealedSamples?: number;
  silentConcealedSamples?: number; totalSamplesReceived?: number; audioLevel?: number; framesPerSecond?: number; frameWidth?: number; frameHeight?: number;
  framesDecoded?: number; framesEncoded?: number; framesDropped?: number; freezeCount?: number; totalFreezesDuration?: number; mimeType?: string;
  selectedCandidatePairId?: string; localCandidateId?: string; currentRoundTripTime?: number; availableOutgoingBitrate?: number;
  candidateType?: TransportSample["localCandidate"]; protocol?: string; relayProtocol?: string;
}

/** MediaStats samples getStats each second, sums up each ten seconds, and hands batches to the server. */
export class MediaStats extends Emitter<MediaStatsEvents> {
  readonly #source: StatsSource;
  #timer: ReturnType<typeof setInterval> | undefined;
  #before = new Map<string, RtpStats>();
  #samples: MediaStatsSample[] = [];
  #batch: { sample: MediaStatsSample; intervalMs: number; discarded: Map<string, number> }[] = [];
  #sampledAt = 0;
  #discarded = new Map<string, number>();
  #busy = false;

  constructor(source: StatsSource) {
    super();
    this.#source = source;
  }

  /** For this library. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#tick(), SAMPLE_MS);
  }

  /** For this library. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#flush();
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await this.#sample();
    } catch {
      // A connection that is being closed has no statistics.
    } finally {
      this.#busy = false;
    }
  }

  async #sample(): Promise<void> {
    const now = Date.now();
    const sample: MediaStatsSample = { timestamp: new Date(now), streams: [], transports: [] };
    const seen = new Map<string, RtpStats>();
    this.#discarded = new Map();
    for (const [index, peer] of this.#source.peers().entries()) {
      const report = new Map([...(await peer.getStats()).entries()] as [string, RtpStats][]);
      for (const stats of report.values()) {
        if (stats.type === "transport") sample.transports.push(transportSample(stats, report));
      }
      for (const group of this.#groups(peer, report).values()) sample.streams.push(this.#stream(group, report, `${index}/`, seen));
    }
    this.#before = seen;
    const intervalMs = this.#sampledAt ? now - this.#sampledAt : SAMPLE_MS;
    this.#sampledAt = now;
    if (sample.streams.length === 0) return;
    this.emit("sampleReported", sample);
    this.#batch.push({ sample, intervalMs, discarded: this.#discarded });
    if (this.#batch.length >= BATCH_SAMPLES) this.#flush();
    this.#samples.push(sample);
    if (this.#samples.length >= SUMMARY_SAMPLES) this.emit("summaryReported", summarize(this.#samples.splice(0)));
  }

  /** The RTP streams by track: a camera in three sizes is three streams of one track. */
  #groups(peer: RTCPeerConnection, report: Map<string, RtpStats>): Map<string, { track: NonNullable<ReturnType<StatsSource["trackOf"]>>; rtp: RtpStats[] }> {
    const groups = new Map<string, { track: NonNullable<ReturnType<StatsSource["trackOf"]>>; rtp: RtpStats[] }>();
    for (const stats of report.values()) {
      if (stats.type !== "outbound-rtp" && stats.type !== "inbound-rtp") continue;
      const track = stats.mid === undefined ? undefined : this.#source.trackOf(peer, stats.mid);
      if (!track) continue;
      const group = groups.get(track.id) ?? { track, rtp: [] };
      group.rtp.push(stats);
      groups.set(track.id, group);
    }
    return groups;
  }

  #stream({ track, rtp }: { track: { id: string; kind: TrackKind; direction: "send" | "receive" }; rtp: RtpStats[] }, report: Map<string, RtpStats>, prefix: string, seen: Map<string, RtpStats>): StreamSample {
    for (const stats of rtp) seen.set(prefix + stats.id, stats);
    const sending = track.direction === "send";
    const remote = rtp.map((stats) => report.get(stats.remoteId ?? "")).filter((stats) => stats !== undefined);
    for (const stats of remote) seen.set(prefix + stats.id, stats);
    // By how much a counter rose, summed over the streams, and over how many seconds.
    const rise = (list: RtpStats[], field: CounterField): number | undefined => this.#rise(list, field, prefix);
    const seconds = this.#seconds(rtp, prefix);
    const rate = (value: number | undefined): number | undefined => (value === undefined || !seconds ? undefined : value / seconds);
    const bytes = rate(rise(rtp, sending ? "bytesSent" : "bytesReceived"));
    const emitted = rise(rtp, "jitterBufferEmittedCount");
    const delay = rise(rtp, "jitterBufferDelay");
    const samples = rise(rtp, "totalSamplesReceived");
    const healed = minus(rise(rtp, "concealedSamples"), rise(rtp, "silentConcealedSamples"));
    const highest = rtp.reduce<RtpStats | undefined>((best, s) => ((s.frameHeight ?? 0) > (best?.frameHeight ?? 0) ? s : best), rtp[0]);
    const losses = sending ? remote : rtp;
    this.#discarded.set(track.id, rise(rtp, "packetsDiscarded") ?? 0);
    return {
      id: track.id,
      mediaType: track.kind === "screen" ? "screenShare" : track.kind,
      direction: track.direction,
      transportId: rtp[0]?.transportId,
      codecName: report.get(rtp[0]?.codecId ?? "")?.mimeType?.split("/")[1],
      bitrate: bytes === undefined ? undefined : Math.round(bytes * 8),
      jitterInMs: milliseconds(greatest(losses, "jitter")),
      packets: total(rtp, sending ? "packetsSent" : "packetsReceived"),
      packetsPerSecond: rate(rise(rtp, sending ? "packetsSent" : "packetsReceived")),
      packetsLost: total(losses, "packetsLost"),
      packetsLostPerSecond: rate(rise(losses, "packetsLost")),
      rttInMs: milliseconds(greatest(remote, "roundTripTime")),
      jitterBufferDelayInMs: delay === undefined || !emitted ? undefined : (delay / emitted) * 1000,
      healedRatio: healed === undefined || !samples ? undefined : Math.min(1, Math.max(0, healed / samples)),
      audioLevel: rtp[0]?.audioLevel,
      frameRate: highest?.framesPerSecond,
      frameWidth: highest?.frameWidth,
      frameHeight: highest?.frameHeight,
      frames: rise(highest ? [highest] : [], sending ? "framesEncoded" : "framesDecoded"),
      framesDropped: rise(rtp, "framesDropped"),
      freezes: rise(rtp, "freezeCount"),
      freezeDurationInMs: milliseconds(rise(rtp, "totalFreezesDuration")),
    };
  }

  #rise(list: RtpStats[], field: CounterField, prefix: string): number | undefined {
    let sum: number | undefined;
    for (const stats of list) {
      const now = stats[field];
      if (now === undefined) continue;
      const before = this.#before.get(prefix + stats.id)?.[field] ?? 0;
      sum = (sum ?? 0) + Math.max(0, now - before);
    }
    return sum;
  }

  #seconds(list: RtpStats[], prefix: string): number {
    const first = list[0];
    const before = first && this.#before.get(prefix + first.id);
    return first && before ? (first.timestamp - before.timestamp) / 1000 : 0;
  }

  #flush(): void {
    const batch = this.#batch.splice(0);
    const last = batch.at(-1);
    if (last) this.#source.report(last.sample.streams.map((stream) => trackStats(stream, batch.map((b) => ({ ...b, streams: b.sample.streams })), last.sample)));
  }
}

type CounterField =
  | "bytesSent" | "bytesReceived" | "packetsSent" | "packetsReceived" | "packetsLost" | "packetsDiscarded" | "jitterBufferDelay" | "jitterBufferEmittedCount"
  | "concealedSamples" | "silentConcealedSamples" | "totalSamplesReceived" | "framesDecoded" | "framesEncoded" | "framesDropped" | "freezeCount" | "totalFreezesDuration";

/** A stream's samples of a batch as one line for the server. */
function trackStats(stream: StreamSample, batch: { streams: StreamSample[]; intervalMs: number; discarded: Map<string, number> }[], last: MediaStatsSample): TrackStats {
  const own = batch.flatMap((b) => b.streams.filter((s) => s.id === stream.id));
  const transport = last.transports.find((t) => t.id === stream.transportId);
  const sum = (field: NumberField): number | undefined => addUp(own.map((s) => s[field]));
  const mean = (field: NumberField): number | undefined => {
    const known = own.map((s) => s[field]).filter((v) => v !== undefined);
    return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0) / known.length;
  };
  const line: { [K in keyof TrackStats]: TrackStats[K] | undefined } & { track_id: string; direction: "send" | "receive"; interval_ms: number } = {
    track_id: stream.id,
    direction: stream.direction,
    interval_ms: batch.reduce((ms, b) => ms + (b.streams.some((s) => s.id === stream.id) ? b.intervalMs : 0), 0),
    jitter_buffer_ms: mean("jitterBufferDelayInMs"),
    healed_ratio: mean("healedRatio"),
    frame_rate: mean("frameRate"),
    frame_height: stream.frameHeight,
    frames: sum("frames"),
    frames_dropped: sum("framesDropped"),
    freezes: sum("freezes"),
    freeze_ms: sum("freezeDurationInMs"),
    packets_discarded: batch.reduce((n, b) => n + (b.discarded.get(stream.id) ?? 0), 0),
    available_bitrate_bps: stream.direction === "send" ? transport?.availableBitrate : undefined,
    local_candidate: transport?.localCandidate,
    transport: transport?.protocol,
  };
  // What isn't known is left out.
  return Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined)) as unknown as TrackStats;
}

function transportSample(stats: RtpStats, report: Map<string, RtpStats>): TransportSample {
  // Firefox has no transport statistics with the chosen pair: then the path is unknown.
  const pair = report.get(stats.selectedCandidatePairId ?? "");
  const local = report.get(pair?.localCandidateId ?? "");
  const protocol = local?.relayProtocol ?? local?.protocol;
  return {
    id: stats.id,
    rttInMs: milliseconds(pair?.currentRoundTripTime),
    availableBitrate: pair?.availableOutgoingBitrate,
    localCandidate: local?.candidateType,
    protocol: protocol === "udp" || protocol === "tcp" || protocol === "tls" ? protocol : undefined,
  };
}

function summarize(samples: MediaStatsSample[]): MediaStatsSummary {
  const summaries = new Map<string, StreamSummary>();
  const values = new Map<string, Map<NumberField, number[]>>();
  for (const stream of samples.flatMap((sample) => sample.streams)) {
    const { id, mediaType, direction, codecName, transportId } = stream;
    summaries.set(id, { id, mediaType, direction, codecName, transportId, aggregates: {} });
    const fields = values.get(id) ?? new Map<NumberField, number[]>();
    values.set(id, fields);
    for (const [name, value] of Object.entries(stream)) {
      if (typeof value !== "number") continue;
      const field = name as NumberField;
      fields.set(field, [...(fields.get(field) ?? []), value]);
    }
  }
  for (const [id, summary] of summaries) {
    for (const [field, list] of values.get(id) ?? []) {
      summary.aggregates[field] = { avg: list.reduce((a, b) => a + b, 0) / list.length, min: Math.min(...list), max: Math.max(...list) };
    }
  }
  const from = samples[0]?.timestamp ?? new Date();
  return { from, to: samples.at(-1)?.timestamp ?? from, streams: [...summaries.values()] };
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? undefined : a - (b ?? 0);
}

function addUp(values: (number | undefined)[]): number | undefined {
  const known = values.filter((v) => v !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0);
}

function total(list: RtpStats[], field: CounterField): number | undefined {
  return addUp(list.map((stats) => stats[field]));
}

function greatest(list: RtpStats[], field: "jitter" | "roundTripTime"): number | undefined {
  const known = list.map((stats) => stats[field]).filter((v) => v !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
