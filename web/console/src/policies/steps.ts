import { useMutation, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { type CheckResult, type Files, type Replay, type TestResult, check, moves, replayQuery, runTests, startReplay } from "../api/policies";
import { same } from "./draft";

/** A pause in typing after which files are checked, ms. */
const PAUSE = 400;

/** What a draft needs next on its way to being live. */
export type Step = "check" | "test" | "replay" | "activate";

/** An answer, and the files that it is about. */
export interface About<T> {
  files: Files;
  value: T;
}

export interface Steps {
  next: Step;
  /** There are no files, so nothing can be taken further. */
  empty: boolean;
  /** The newest check, of these files or of those before the last keystrokes. */
  checked: CheckResult | undefined;
  checkNow: () => void;
  checking: boolean;
  checkError: unknown;
  tests: About<TestResult> | undefined;
  /** The tests were run on other files than these. */
  testsStale: boolean;
  test: (only?: string) => Promise<TestResult>;
  testing: boolean;
  testError: unknown;
  replay: Replay | undefined;
  /** The replay that is shown is one of other files than these. */
  replayStale: boolean;
  startReplay: (last: string) => Promise<Replay>;
  starting: boolean;
  replayError: unknown;
  /** These files were replayed to the end. Who can't replay may activate all the same, knowing that they don't know. */
  replayed: boolean;
}

export const greenOf = (result: TestResult): boolean => result.ok && result.killed === null && result.coverage.percent >= result.bar;

const errorsOf = (result: CheckResult): number => result.diagnostics.filter((d) => d.severity === "error").length;

/** Check as one types, test and replay when asked, and which of them comes next. `replayId` is the replay of the address. */
export function useSteps(org: string, files: Files, replayId: string | undefined): Steps {
  const settled = useSettled(files);
  const empty = Object.keys(settled).length === 0;
  const checked = useQuery({
    queryKey: ["policy", org, "check", settled],
    queryFn: ({ signal }) => check(org, { files: settled }, signal),
    enabled: !empty,
    staleTime: 60_000,
    gcTime: 30_000,
    retry: false,
    placeholderData: (before) => before,
  });
  const isCurrent = settled === files && !checked.isPlaceholderData && checked.data !== undefined;

  const [tests, setTests] = useState<About<TestResult>>();
  const test = useMutation({
    mutationFn: async (only: string | undefined) => ({ files, value: await runTests(org, { files }, only), only }),
    // A run of one test says nothing of the others, nor of coverage.
    onSuccess: ({ only, ...result }) => setTests((before) => (only !== undefined && before ? { ...before, value: withOne(before.value, result.value) } : result)),
  });
  const [replayed, setReplayed] = useState<About<string>>();
  const replay = useQuery({ ...replayQuery(org, replayId ?? ""), enabled: replayId !== undefined });
  const [failed, setFailed] = useState<Files>();
  const start = useMutation({
    mutationFn: (last: string) => startReplay(org, { files }, last),
    onSuccess: (made) => setReplayed({ files, value: made.id }),
    onError: () => setFailed(files),
  });
  const runTest = test.mutateAsync;
  const runReplay = start.mutateAsync;

  const testsStale = tests !== undefined && !same(tests.files, files);
  // A replay that the address names may be of other files; only one that was started here is known to be of these.
  const ours = replayed !== undefined && replayed.value === replayId;
  const replayStale = ours && !same(replayed.files, files);
  const fits = ours && !replayStale && replay.data !== undefined;
  const tried = (fits && !moves(replay.data)) || (failed !== undefined && same(failed, files));
  const next: Step =
    !isCurrent || (checked.data !== undefined && errorsOf(checked.data) > 0) || checked.error
      ? "check"
      : tests === undefined || testsStale || !greenOf(tests.value)
        ? "test"
        : tried
          ? "activate"
          : "replay";
  return {
    next,
    empty: Object.keys(files).length === 0,
    checked: empty ? undefined : checked.data,
    checkNow: useCallback(() => void checked.refetch(), [checked.refetch]),
    checking: checked.isFetching || settled !== files,
    checkError: checked.error,
    tests,
    testsStale,
    test: useCallback(async (only) => (await runTest(only)).value, [runTest]),
    testing: test.isPending,
    testError: test.error,
    replay: replay.data,
    replayStale,
    startReplay: useCallback((last) => runReplay(last), [runReplay]),
    starting: start.isPending,
    replayError: start.error ?? replay.error,
    replayed: fits && replay.data.state === "done",
  };
}

function withOne(all: TestResult, one: TestResult): TestResult {
  const again = new Map(one.tests.filter((t) => t.outcome !== "skip").map((t) => [`${t.package}.${t.name}`, t]));
  const tests = all.tests.map((t) => again.get(`${t.package}.${t.name}`) ?? t);
  return { ...all, tests, ok: all.diagnostics.length === 0 && tests.every((t) => t.outcome === "pass" || t.outcome === "skip"), killed: one.killed };
}

/** The files once nobody has typed for a moment. */
function useSettled(files: Files): Files {
  const [settled, setSettled] = useState(files);
  useEffect(() => {
    if (settled === files) return undefined;
    const timer = setTimeout(() => setSettled(files), PAUSE);
    return () => clearTimeout(timer);
  }, [files, settled]);
  return settled;
}
