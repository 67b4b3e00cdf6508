import type { Reason } from "../api/analytics";
import { withUnit } from "../api/figures";
import { callTexts } from "../texts/calls";

/** A metric's name for people. */
export function metricName(metric: string): string {
  return callTexts.metrics[metric] ?? metric.replaceAll("_", " ");
}

/** A value of a closed set, for people. */
export function valueName(value: string | null | undefined): string {
  return value === null || value === undefined ? callTexts.values["unknown"] ?? "" : (callTexts.values[value] ?? value);
}

type Judged = Pick<Reason, "metric" | "value" | "threshold" | "unit"> & { comparison?: string | null; text?: string };

/** What a client complained of, by the name of its diagnostic. */
export function diagnosticText(name: string, otherwise = callTexts.wentBad(name)): string {
  return callTexts.diagnostics[name] ?? otherwise;
}

/** loss 14 % (over 10 %), without the place. */
export function reasonText(reason: Judged): string {
  if (reason.value === null || reason.threshold === null) return diagnosticText(reason.metric, reason.text);
  const below = reason.comparison ? reason.comparison.startsWith("<") : reason.value < reason.threshold;
  const side = below ? callTexts.under : callTexts.over;
  return callTexts.reason(metricName(reason.metric), withUnit(reason.value, reason.unit), side, withUnit(reason.threshold, reason.unit));
}

/** The rule that judged. */
export function ruleText(reason: Reason): string {
  if (reason.threshold === null) return `${reason.text}. ${reason.source}`;
  const below = reason.comparison?.startsWith("<") ?? false;
  return callTexts.ruleText(metricName(reason.metric), below ? callTexts.under : callTexts.over, withUnit(reason.threshold, reason.unit), reason.source);
}
