import { Button } from "@mantine/core";
import { IconCalendarPlus, IconLink } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type Meeting, changeMeeting, endMeeting, meetingQuery, meetingsQuery, renewLink, rosterQuery } from "../api/meetings";
import { useHas } from "../api/session";
import { Command, Copy, Share } from "../parts/copy";
import { Chip, Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { FetchedScreen, Panel, Screen } from "../parts/screen";
import { Loaded, Trouble } from "../parts/states";
import { meetingTexts as texts } from "../texts/meetings";

/** One meeting: its link, who is in it, and its end. */
export function MeetingPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const meeting = useQuery(meetingQuery(id));
  return <FetchedScreen title={texts.one} list={{ to: "/meetings" }} query={meeting}>{({ value, etag }) => <Found meeting={value} etag={etag} />}</FetchedScreen>;
}

function Found({ meeting, etag }: { meeting: Meeting; etag: string }) {
  const mayLook = useHas("admin", "support", "auditor");
  const mayHold = useHas("admin");
  return (
    <Screen
      title={meeting.title}
      question={<span className="row">{texts.kinds[meeting.kind] ?? meeting.kind}{meeting.starts_at && <Time at={meeting.starts_at} />}{meeting.cancelled && <Chip tone="poor">{texts.cancelled}</Chip>}</span>}
      actions={
        <>
          {!meeting.cancelled && <a className="button primary" href={meeting.join_url}>{texts.join}</a>}
          <a className="button" href={`/v1/meetings/${meeting.id}/calendar.ics`} download={`meeting-${meeting.id}.ics`}><IconCalendarPlus size={16} stroke={1.75} aria-hidden />{texts.calendar}</a>
          {mayLook && <Go className="button" to="/calls" state={{ q: meeting.id }}>{texts.calls}</Go>}
          {mayHold && <Go className="button" to="/holds/new" state={{ on: "meeting", id: meeting.id }}>{texts.hold}</Go>}
          <Share />
        </>
      }
    >
      <Panel title={texts.link} tools={<Copy text={meeting.join_url} label={texts.copyLink} icon={<IconLink size={16} stroke={1.75} />} />}>
        <Command text={meeting.join_url} />
      </Panel>
      <div className="columns">
        <Now id={meeting.id} />
        <Panel title={texts.facts}>
          <dl className="facts">
            <dt>{texts.organizer}</dt>
            <dd><bdi>{meeting.organizer}</bdi></dd>
            <dt>{texts.columns.starts}</dt>
            <dd><Time at={meeting.starts_at} /></dd>
            <dt>{texts.columns.ends}</dt>
            <dd><Time at={meeting.ends_at} /></dd>
            <dt>{texts.fields.bypass}</dt>
            <dd>{texts.bypass[meeting.lobby_bypass ?? ""]}</dd>
            <dt>{texts.columns.id}</dt>
            <dd><code>{meeting.id}</code></dd>
          </dl>
        </Panel>
      </div>
      <Acts meeting={meeting} etag={etag} />
    </Screen>
  );
}

function Now({ id }: { id: string }) {
  const roster = useQuery(rosterQuery(id));
  return (
    <Panel title={`${texts.now} ${roster.data?.participants.length ?? ""}`}>
      <Loaded query={roster} rows={2}>
        {({ participants }) =>
          participants.length === 0 ? (
            <p className="quiet">{texts.notRunning}</p>
          ) : (
            <ul className="stack tight">
              {participants.map((p) => (
                <li key={p.participant_id} className="row">
                  <Name text={p.display_name} />
                  {p.external && <Chip>{texts.external}</Chip>}
                  {!p.connected && <Chip tone="due">{texts.away}</Chip>}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Acts({ meeting, etag }: { meeting: Meeting; etag: string }) {
  const [done, setDone] = useState("");
  const queries = useQueryClient();
  const settle = async (text: string): Promise<void> => {
    setDone(text);
    await queries.invalidateQueries({ queryKey: meetingsQuery.queryKey });
  };
  const end = useMutation({ mutationFn: () => endMeeting(meeting.id), onSuccess: () => settle(texts.endDone) });
  const renew = useMutation({ mutationFn: () => renewLink(meeting.id), onSuccess: () => settle(texts.renewDone) });
  const cancel = useMutation({ mutationFn: () => changeMeeting(meeting.id, etag, { cancelled: !meeting.cancelled }), onSuccess: () => settle("") });
  const failed = end.error ?? renew.error ?? cancel.error;
  const acts = [
    { text: texts.endText, label: texts.end, act: end, red: true },
    { text: texts.renewText, label: texts.renew, act: renew, red: false },
    { text: texts.cancelText, label: meeting.cancelled ? texts.uncancel : texts.cancel, act: cancel, red: !meeting.cancelled },
  ];
  return (
    <section className="panel">
      <ul className="acts">
        {acts.map(({ text, label, act, red }) => (
          <li key={label} className="row nowrap">
            <span className="grow">{text}</span>
            <Button {...(red && { variant: "outline", color: "red" })} onClick={() => act.mutate()} loading={act.isPending}>{label}</Button>
          </li>
        ))}
      </ul>
      {failed && <Trouble error={failed} wrote />}
      {done !== "" && <p role="status" className="panel-body tight quiet">{done}</p>}
    </section>
  );
}
