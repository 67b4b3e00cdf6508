import { UNREACHABLE, type Problem } from "../api/client";

/** What every screen says. */
export const commonTexts = {
  cancel: "Cancel",
  close: "Close",
  save: "Save",
  more: "More",
  loadMore: "Show more",
  columns: "Columns",
  csv: "CSV",
  json: "JSON",
  share: "Share",
  shareHint: "Copies the address of exactly this view",
  copied: "Copied",
  copyId: "Copy id",
  copy: "Copy",
  retry: "Try again",
  unknown: "unknown",
  none: "none",
  notKnown: "–",
  loading: "Loading",
  rows: (n: string) => `${n} rows`,
  exportCut: (n: string) => `Only the first ${n} rows are in the file. Narrow the filters for the rest.`,
  exportAll: (n: string) => `Saved ${n} rows`,
  sortBy: (column: string) => `Sort by ${column}`,
  card: (what: string) => `Open ${what}`,
  saved: "Saved",
  verdict: { good: "Good", poor: "Poor", unknown: "Unknown" } as Record<string, string>,
  trouble: "This didn't work",
  lost: { read: "Nothing was lost: this only reads.", write: "Nothing was changed." },
  request: (id: string) => `Request ${id}`,
  missing: "It is not there",
  missingText: "It was taken away, or its address is wrong, or it is not yours to see.",
  toList: "Show all there are",
  notFoundTitle: "There is nothing here",
  notFoundShort: "No such screen",
  notFound: "The address leads to no screen of the console.",
  toStart: "To the first screen",
  changedMeanwhile: "Somebody else changed this meanwhile. Load it again and repeat your change.",
};

/** What happened and what to do, of a problem. */
export function problemText(problem: Problem): string {
  if (problem.status === UNREACHABLE) return "Anteroom can't be reached. Check the network and that the service runs, then try again.";
  if (problem.status === 412) return commonTexts.changedMeanwhile;
  if (problem.message !== "") return problem.message;
  if (problem.status === 403) return "Your role doesn't allow this. Ask an admin of your organisation.";
  if (problem.status === 404) return "This is not there (any more), or not yours to see.";
  if (problem.status === 504) return "The query took too long and was stopped. Narrow the time range or the filters.";
  return "The service could not answer. Try again; if it stays so, tell whoever runs it the request's id.";
}
