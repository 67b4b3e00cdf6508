import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type LiveCalls, isRunning, runningQuery } from "../api/live";
import { sessionQuery } from "../api/session";

export type LiveState = "connecting" | "open" | "lost";

interface Picture {
  answer: LiveCalls | undefined;
  /** When the service last said anything. */
  at: string | undefined;
  state: LiveState;
  /** Why the picture is an old one. */
  problem: string | undefined;
}

/** The running calls as the service pushes them; the browser itself connects again when the connection is lost. */
export function useLive(): Picture {
  const [picture, setPicture] = useState<Picture>({ answer: undefined, at: undefined, state: "connecting", problem: undefined });
  const queries = useQueryClient();
  useEffect(() => {
    const source = new EventSource("/v1/live");
    const on = <T>(type: string, take: (data: T) => Partial<Picture>): void =>
      source.addEventListener(type, (event: MessageEvent<string>) => {
        const change = take(JSON.parse(event.data) as T);
        setPicture((before) => ({ ...before, state: "open", ...change }));
      });
    on<LiveCalls>("calls", (answer) => {
      queries.setQueryData(runningQuery.queryKey, answer.calls.filter(isRunning).length);
      return { answer, at: answer.at, problem: undefined };
    });
    on<{ at: string }>("alive", ({ at }) => ({ at, problem: undefined }));
    on<{ detail?: string }>("problem", ({ detail }) => ({ problem: detail ?? "" }));
    on<{ reason: string }>("end", ({ reason }) => {
      // Whoever is signed out has to sign in again; a service that stops comes back, and is asked again by the browser.
      if (reason === "signed_out") {
        source.close();
        void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
      }
      return { state: "lost" };
    });
    source.addEventListener("open", () => setPicture((before) => ({ ...before, state: "open" })));
    source.addEventListener("error", () => setPicture((before) => ({ ...before, state: "lost" })));
    return () => source.close();
  }, [queries]);
  return picture;
}
