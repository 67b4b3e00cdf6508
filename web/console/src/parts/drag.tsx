import { type PointerEvent, useCallback, useRef, useState } from "react";

/** What is being marked, as shares of the width from 0 to 1. */
export interface Marked {
  from: number;
  to: number;
}

/** Less than this is a click, not a choice of a range. */
const SHORTEST_PX = 6;

/**
 * Marking a range of a time axis by dragging. `left` and `right` are the pixels beside the axis; `chosen` gets shares of the axis. `hover` is where the pointer is.
 */
export function useDrag({ left, right, chosen }: { left: number; right: number; chosen: (range: Marked) => void }) {
  const [marked, setMarked] = useState<Marked>();
  const [hover, setHover] = useState<number>();
  const start = useRef<number>(undefined);
  const share = useCallback(
    (event: PointerEvent<HTMLElement>) => {
      const box = event.currentTarget.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - box.left - left) / Math.max(1, box.width - left - right)));
    },
    [left, right],
  );
  return {
    marked,
    hover,
    handlers: {
      onPointerDown: (event: PointerEvent<HTMLElement>): void => {
        if (event.button !== 0 || (event.target as Element).closest("a, button")) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = share(event);
      },
      onPointerMove: (event: PointerEvent<HTMLElement>): void => {
        const at = share(event);
        setHover(at);
        if (start.current !== undefined) setMarked({ from: Math.min(start.current, at), to: Math.max(start.current, at) });
      },
      onPointerUp: (event: PointerEvent<HTMLElement>): void => {
        const box = event.currentTarget.getBoundingClientRect();
        const range = marked;
        start.current = undefined;
        setMarked(undefined);
        if (range && (range.to - range.from) * (box.width - left - right) >= SHORTEST_PX) chosen(range);
      },
      onPointerCancel: (): void => {
        start.current = undefined;
        setMarked(undefined);
      },
      onPointerLeave: (): void => setHover(undefined),
    },
  };
}
