import { useSyncExternalStore } from "react";
import type { Schemas } from "./client";

/** Until when all that was produced is stored, and why if that lags. */
export type Freshness = Schemas["Freshness"];

let last: Freshness | undefined;
const listeners = new Set<() => void>();

/** Keeps what an answer says of its freshness, for the frame to show. */
export function noteFreshness<T extends { freshness?: Freshness | undefined }>(answer: T): T {
  if (answer.freshness) {
    last = answer.freshness;
    for (const listener of listeners) listener();
  }
  return answer;
}

export function useFreshness(): Freshness | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => last,
  );
}
