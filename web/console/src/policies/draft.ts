import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { Problem } from "../api/client";
import { type Draft, type Files, deleteDraft, draftsQuery, putDraft } from "../api/policies";

/** A pause in typing after which a draft is saved, ms. */
const PAUSE = 1000;

export type Saving = { kind: "saved" } | { kind: "unsaved" } | { kind: "saving" } | { kind: "conflict" } | { kind: "failed"; error: unknown };

/** Whether two sets of files say the same. */
export function same(a: Files, b: Files): boolean {
  if (a === b) return true;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** The draft as it is worked on: its files here, and the service following them. */
export interface DraftWork {
  draft: Draft;
  files: Files;
  saving: Saving;
  /** Takes files, or makes them of those that are here by now. */
  setFiles: (files: Files | ((before: Files) => Files)) => void;
  setTitle: (title: string) => void;
  /** Bases the draft on another revision: what it is compared with and followed from. */
  setBase: (number: number) => void;
  /** Saves what isn't yet; answers with whether all is saved. */
  save: () => Promise<boolean>;
  /** After a conflict: the service's draft is written over with what is here. */
  keepMine: (theirs: Draft) => void;
  /** Deletes the draft for good. */
  remove: () => Promise<void>;
}

export function useDraft(org: string, loaded: Draft, readOnly: boolean): DraftWork {
  const queries = useQueryClient();
  const [draft, setDraft] = useState(loaded);
  const [saving, setSaving] = useState<Saving>({ kind: "saved" });
  // What is to be saved and what was: saving goes on beside typing.
  const wanted = useRef(loaded);
  const stored = useRef(loaded);
  const queue = useRef(Promise.resolve());

  const push = useCallback(async (): Promise<void> => {
    const next = wanted.current;
    if (unchanged(next, stored.current)) return;
    setSaving({ kind: "saving" });
    try {
      const now = await putDraft(org, { ...next, version: stored.current.version });
      stored.current = { ...next, version: now.version, updated_at: now.updated_at };
      setSaving({ kind: unchanged(wanted.current, stored.current) ? "saved" : "unsaved" });
      void queries.invalidateQueries({ queryKey: draftsQuery(org).queryKey, exact: true });
    } catch (error) {
      setSaving(error instanceof Problem && error.status === 412 ? { kind: "conflict" } : { kind: "failed", error });
    }
  }, [org, queries]);
  const save = useCallback(async (): Promise<boolean> => {
    queue.current = queue.current.then(push);
    await queue.current;
    return unchanged(wanted.current, stored.current);
  }, [push]);

  const change = useCallback(
    (parts: Partial<Draft>): void => {
      if (readOnly) return;
      wanted.current = { ...wanted.current, ...parts };
      setDraft(wanted.current);
      setSaving((before) => (before.kind === "conflict" ? before : { kind: "unsaved" }));
    },
    [readOnly],
  );
  useEffect(() => {
    if (saving.kind !== "unsaved") return undefined;
    const timer = setTimeout(() => void save(), PAUSE);
    return () => clearTimeout(timer);
  }, [draft, saving.kind, save]);
  useSaveOnLeaving(save, () => !unchanged(wanted.current, stored.current));

  return {
    draft: { ...draft, version: stored.current.version },
    files: draft.files,
    saving,
    setFiles: useCallback((files) => change({ files: typeof files === "function" ? files(wanted.current.files) : files }), [change]),
    setTitle: useCallback((title) => change({ title }), [change]),
    setBase: useCallback((based_on) => change({ based_on }), [change]),
    save,
    keepMine: useCallback(
      (theirs) => {
        stored.current = { ...theirs };
        setSaving({ kind: "unsaved" });
      },
      [],
    ),
    remove: useCallback(async () => {
      // What is being saved has its end first; what isn't saved is not to be.
      await queue.current;
      wanted.current = stored.current;
      await deleteDraft(org, stored.current);
      await queries.invalidateQueries({ queryKey: draftsQuery(org).queryKey, exact: true });
    }, [org, queries]),
  };
}

const unchanged = (a: Draft, b: Draft): boolean => a.title === b.title && a.based_on === b.based_on && same(a.files, b.files);

/** Going to another screen saves; closing the page asks while something is not saved. */
function useSaveOnLeaving(save: () => Promise<boolean>, dirty: () => boolean): void {
  const ask = useRef(dirty);
  ask.current = dirty;
  useEffect(() => {
    const leave = (event: BeforeUnloadEvent): void => {
      if (!ask.current()) return;
      void save();
      event.preventDefault();
    };
    window.addEventListener("beforeunload", leave);
    return () => {
      window.removeEventListener("beforeunload", leave);
      if (ask.current()) void save();
    };
  }, [save]);
}
