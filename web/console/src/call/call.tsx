import { Tabs } from "@mantine/core";
import { IconArrowsDiff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Call, callQuery, issuesQuery, participantsQuery, presenceQuery, streamsQuery, timelineQuery } from "../api/analytics";
import { Problem } from "../api/client";
import { dayTime, hourMinute, length } from "../api/times";
import { callName } from "../calls/columns";
import { useAddress } from "../frame/search-state";
import { Copy, Share } from "../parts/copy";
import { Chip, Verdict, Why } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Trouble, Waiting } from "../parts/states";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { IssueTable } from "./issues";
import { NoticesTab } from "./notices";
import { Overview } from "./overview";
import { peopleOf } from "./people";
import { Raw } from "./raw";
import { TimelineTab } from "./timeline";
import { type Window, wholeWindow, zoomState, zoomedWindow } from "./window";
import "./call.css";

/** Why was this call bad? */
export function CallPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const call = useQuery(callQuery(id));
  if (call.error) {
    const missing = call.error instanceof Problem && call.error.status === 404;
    return (
      <Screen title={callTexts.callOf("", false)}>
        {missing ? (
          <Empty title={callTexts.notFound} action={<Go to="/calls">{callTexts.title}</Go>}>
            {callTexts.notFoundText}
          </Empty>
        ) : (
          <Trouble error={call.error} retry={() => void call.refetch()} />
        )}
      </Screen>
    );
  }
  if (!call.data) return <Screen title={callTexts.callOf("", false)}><Waiting rows={8} /></Screen>;
  return <Found call={call.data} />;
}

function Found({ call }: { call: Call }) {
  const [search, change] = useAddress();
  const id = call.call_id;
  const participants = useQuery(participantsQuery(id));
  const presence = useQuery(presenceQuery(id));
  const streams = useQuery(streamsQuery(id));
  const issues = useQuery(issuesQuery(id));
  const timeline = useQuery(timelineQuery(id));
  const people = useMemo(() => peopleOf(participants.data ?? [], presence.data ?? []), [participants.data, presence.data]);
  const failed = [participants, presence, streams, issues, timeline].find((q) => q.error);
  const whole = useMemo(
    () => wholeWindow(call, participants.data ?? [], streams.data ?? [], timeline.data?.entries ?? []),
    [call, participants.data, streams.data, timeline.data],
  );
  const tab = callTexts.tabs[search["tab"] ?? ""] ? (search["tab"] ?? "overview") : "overview";
  const window = zoomedWindow(search, whole);
  const zoom = (to: Window): void => change(zoomState({ from: Math.max(whole.from, to.from), to: Math.min(whole.to, to.to) }), { replace: true });
  const ready = participants.data && presence.data && streams.data && issues.data && timeline.data;
  const parts = ready && {
    call, participants: participants.data, presence: presence.data, streams: streams.data, issues: issues.data, timeline: timeline.data, people, whole, window, zoom,
    zoomOut: () => change({ from: undefined, to: undefined }, { replace: true }),
    focus: search["participant"],
  };
  return (
    <Screen title={callName(call)} question={<Head call={call} />} actions={<Actions call={call} />}>
      {failed && <Trouble error={failed.error} retry={() => void failed.refetch()} />}
      <Tabs value={tab} onChange={(value) => change({ tab: value === "overview" ? undefined : (value ?? undefined) })} keepMounted={false}>
        <Tabs.List>
          {Object.entries(callTexts.tabs).map(([name, label]) => (
            <Tabs.Tab key={name} value={name} rightSection={name === "issues" && call.issues.total > 0 ? <span className="nav-count poor">{call.issues.total}</span> : undefined}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <div className="tab-body">
          {parts ? (
            <>
              <Tabs.Panel value="overview"><Overview {...parts} /></Tabs.Panel>
              <Tabs.Panel value="issues"><IssueTable {...parts} /></Tabs.Panel>
              <Tabs.Panel value="timeline"><TimelineTab {...parts} /></Tabs.Panel>
              <Tabs.Panel value="raw"><Raw {...parts} /></Tabs.Panel>
              <Tabs.Panel value="notices"><NoticesTab call={call} people={people} /></Tabs.Panel>
            </>
          ) : (
            !failed && <Waiting rows={8} />
          )}
        </div>
      </Tabs>
    </Screen>
  );
}

/** 23 Nov 14:01 to 14:19 · Poor · complete */
function Head({ call }: { call: Call }) {
  const from = call.started_at ?? call.first_seen_at;
  const start = new Date(from);
  const state = call.state;
  return (
    <p className="row call-head">
      <time dateTime={from} title={from.replace("T", " ").replace("Z", " UTC")} className="num">
        {call.ended_at ? callTexts.lasted(dayTime(start), hourMinute(new Date(call.ended_at))) : dayTime(start)}
      </time>
      {call.duration_ms !== null && <span className="num">{length(call.duration_ms)}</span>}
      <Verdict verdict={call.verdict} />
      <Why text={callTexts.stateWhy[state]}><Chip tone={state === "complete" ? "plain" : "accent"}>{callTexts.states[state]}</Chip></Why>
      {call.tags.map((tag) => <Chip key={tag}>{tag}</Chip>)}
    </p>
  );
}

function Actions({ call }: { call: Call }) {
  return (
    <>
      <Copy text={call.call_id} label={commonTexts.copyId} />
      <Share />
      <Go to="/compare" state={{ a_call: call.call_id }} className="button">
        <IconArrowsDiff size={16} stroke={1.75} aria-hidden />
        {callTexts.compare}
      </Go>
    </>
  );
}
