import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Frame } from "./frame/frame";
import { NotFound, Start } from "./frame/start";

/** The address holds the whole state of a screen, as plain text: what isn't set is not in it. */
export type Search = Readonly<Record<string, string | undefined>>;

const texts = (search: Record<string, unknown>): Search =>
  Object.fromEntries(Object.entries(search).flatMap(([name, value]) => (value === undefined || value === "" ? [] : [[name, String(value)]])));

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound, validateSearch: texts });
const screen = { getParentRoute: () => root, validateSearch: texts };

const start = createRoute({ ...screen, path: "/", component: Start });
const calls = createRoute({ ...screen, path: "/calls", component: lazyRouteComponent(() => import("./calls/calls"), "Calls") });
const call = createRoute({ ...screen, path: "/calls/$id", component: lazyRouteComponent(() => import("./call/call"), "CallPage") });
const quality = createRoute({ ...screen, path: "/quality", component: lazyRouteComponent(() => import("./quality/quality"), "Quality") });
const live = createRoute({ ...screen, path: "/live", component: lazyRouteComponent(() => import("./live/live"), "Live") });
const compare = createRoute({ ...screen, path: "/compare", component: lazyRouteComponent(() => import("./compare/compare"), "Compare") });
const meetings = createRoute({ ...screen, path: "/meetings", component: lazyRouteComponent(() => import("./meetings/meetings"), "Meetings") });
const meeting = createRoute({ ...screen, path: "/meetings/$id", component: lazyRouteComponent(() => import("./meetings/meeting"), "MeetingPage") });
const retention = createRoute({ ...screen, path: "/retention", component: lazyRouteComponent(() => import("./retention/retention"), "Retention") });
const policy = createRoute({ ...screen, path: "/retention/$id", component: lazyRouteComponent(() => import("./retention/policy"), "PolicyPage") });
const holds = createRoute({ ...screen, path: "/holds", component: lazyRouteComponent(() => import("./holds/holds"), "Holds") });
const hold = createRoute({ ...screen, path: "/holds/$id", component: lazyRouteComponent(() => import("./holds/hold"), "HoldPage") });
const reports = createRoute({ ...screen, path: "/reports", component: lazyRouteComponent(() => import("./reports/reports"), "Reports") });
const report = createRoute({ ...screen, path: "/reports/$id", component: lazyRouteComponent(() => import("./reports/report"), "ReportPage") });
const ledger = createRoute({ ...screen, path: "/ledger", component: lazyRouteComponent(() => import("./ledger/ledger"), "Ledger") });
const policies = createRoute({ ...screen, path: "/policies", component: lazyRouteComponent(() => import("./policies/policies"), "Policies") });
const decisions = createRoute({ ...screen, path: "/decisions", component: lazyRouteComponent(() => import("./decisions/decisions"), "Decisions") });
const decision = createRoute({ ...screen, path: "/decisions/$id", component: lazyRouteComponent(() => import("./decisions/decision"), "DecisionPage") });
const settings = createRoute({ ...screen, path: "/settings", component: lazyRouteComponent(() => import("./settings/settings"), "Settings") });

export const router = createRouter({
  routeTree: root.addChildren([
    start, calls, call, quality, live, compare, meetings, meeting, retention, policy, holds, hold, reports, report, ledger, policies, decisions, decision, settings,
  ]),
  basepath: "/console",
  defaultPreload: "intent",
  defaultPendingMs: 200,
  scrollRestoration: true,
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const set = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) if (value !== undefined && value !== "") set.set(name, String(value));
    const text = set.toString();
    return text === "" ? "" : `?${text}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
