import type { Metric, Stream } from "../api/analytics";

export interface Threshold {
  value: number;
  /** Poor below it rather than above. */
  below: boolean;
}

const JUDGED: Record<Metric, string> = { jitter_ms: "jitter_ms_avg", loss_ratio: "loss_ratio", rtt_ms: "rtt_ms_avg", bitrate_bps: "bitrate_avg" };

/**
 * Of the rules of Call Diagnostics (Azure Monitor reference, ACSCallClientOperations), for when no stream broke one and so says which held. Bitrate is judged
 * of video only.
 */
const PUBLISHED: Partial<Record<Metric, Threshold>> = {
  jitter_ms: { value: 30, below: false },
  loss_ratio: { value: 0.1, below: false },
  rtt_ms: { value: 500, below: false },
};

/** The threshold that a chart shows as a band: the one that a stream broke, as the service judged it, else the published one. */
export function thresholdOf(metric: Metric, streams: readonly Stream[]): Threshold | undefined {
  for (const stream of streams) {
    const broken = stream.reasons.find((r) => r.metric === JUDGED[metric] && r.threshold !== null);
    if (broken?.threshold !== undefined && broken.threshold !== null) return { value: broken.threshold, below: broken.comparison?.startsWith("<") ?? false };
  }
  return PUBLISHED[metric];
}
