import { Tooltip } from "@mantine/core";
import { useFreshness } from "../api/freshness";
import { clock, utc } from "../api/times";
import { frameTexts } from "../texts/frame";

/** Until when data is complete, and why if it lags. It says what the last answer said. */
export function Freshness() {
  const freshness = useFreshness();
  if (!freshness) return null;
  const at = freshness.watermark ? new Date(freshness.watermark) : undefined;
  const text = at ? frameTexts.freshness.until(clock(at)) : frameTexts.freshness.unknown;
  const why = freshness.state === "lagging" ? (freshness.reason ?? frameTexts.freshness.lagging) : frameTexts.freshness.complete;
  return (
    <Tooltip label={`${text}. ${why}${at ? ` (${utc(at)})` : ""}`} events={{ hover: true, focus: true, touch: true }}>
      <button type="button" className="freshness" data-state={freshness.state}>
        <span className="freshness-text num">{text}</span>
        <span className="sr">{why}</span>
        <span className="dot" aria-hidden="true" />
      </button>
    </Tooltip>
  );
}
