/** What the screens of decisions say. */
export const decisionTexts = {
  title: "Decisions",
  question: "Who was refused what, and why?",
  columns: {
    at: "Time", action: "Asked for", effect: "Effect", reasons: "Why", rules: "Rules", revision: "Policy", evaluation_us: "Took", source: "Decided by", call_id: "Call", error: "Error",
  },
  effects: { allow: "Allowed", deny: "Refused", lobby: "Waits", error: "Error" } as Record<string, string>,
  actions: { join: "join", use: "use" } as Record<string, string>,
  filters: { effect: "Effect", action: "Asked for", capability: "Capability", reason: "Reason", rule: "Rule", revision: "Policy", call_id: "Call", meeting_id: "Meeting", error: "Failed" } as Record<string, string>,
  last: { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" } as Record<string, string>,
  time: "Time",
  filter: "Filter",
  addFilter: "Add a filter",
  clear: "Clear all",
  remove: (name: string) => `Take the filter ${name} away`,
  soFar: (n: string) => `${n} so far`,
  empty: "No decisions here",
  emptyText: "Nothing was decided in this time, or the filters leave nothing. Decisions of a meeting are shown once it has ended.",
  widen: (what: string) => `Widen to ${what.toLowerCase()}`,
  one: "Decision",
  of: (action: string, capability: string | null | undefined) => (action === "use" ? `use ${capability ?? ""}` : action),
  sources: { media: "this service", opa: "an OPA agent" } as Record<string, string>,
  why: "Why",
  noWhy: "No rule refused it.",
  input: "What it was decided from",
  inputNote: "Roles and numbers only: a decision sees no names, ids or addresses.",
  noInput: "The input is not kept (any more): its period is over.",
  facts: "Facts",
  evaluate: "Evaluate on the policy",
  rule: "Rule",
  participant: "Participant",
  meeting: "Meeting",
  failed: "The policy failed, so it was refused:",
  opensCall: "Open the call",
  /** base 4199347 + own 8c1a2b3: enough to tell policies apart in a list; what is no such name stays as it is. */
  policy: (revision: string) => {
    const [, base, own] = /^base@([0-9a-f]{7})[0-9a-f]*(?:\+[^@]+@([0-9a-f]{7})[0-9a-f]*)?(?:#.*)?$/.exec(revision) ?? [];
    return base === undefined ? revision : `base ${base}${own === undefined ? "" : ` + own ${own}`}`;
  },
  took: (us: string) => `${us} µs`,
};
