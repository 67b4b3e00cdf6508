import { Button, Select, TextInput, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type MeetingInput, meetingsQuery, newMeeting } from "../api/meetings";
import { useGo } from "../parts/go";
import { Trouble } from "../parts/states";
import { meetingTexts as texts } from "../texts/meetings";

const KINDS = ["scheduled", "channel", "webinar", "live_event"] as const;

/** A local date and time as the browser's field has it, as an instant. */
const instant = (local: string): string => new Date(local).toISOString();

/** Makes a meeting; its own screen then has the link. */
export function NewMeeting() {
  const [title, setTitle] = useState("");
  const [kind, setKind] = useState<(typeof KINDS)[number]>("scheduled");
  const [starts, setStarts] = useState("");
  const [ends, setEnds] = useState("");
  const [bypass, setBypass] = useState("");
  const [invited, setInvited] = useState("");
  const go = useGo();
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => {
      const people = invited.split("\n").map((line) => line.trim()).filter((line) => line !== "");
      const input: MeetingInput = {
        title: title.trim(), kind,
        ...(starts !== "" && { starts_at: instant(starts) }),
        ...(ends !== "" && { ends_at: instant(ends) }),
        ...(bypass !== "" && { lobby_bypass: bypass as NonNullable<MeetingInput["lobby_bypass"]> }),
        ...(people.length > 0 && { invited: people }),
      };
      return newMeeting(input);
    },
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: meetingsQuery.queryKey });
      go({ to: `/meetings/${made.id}` });
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate();
      }}
    >
      <TextInput label={texts.fields.title} value={title} onChange={(e) => setTitle(e.currentTarget.value)} required maxLength={256} data-autofocus />
      <Select label={texts.fields.kind} data={KINDS.map((value) => ({ value, label: texts.kinds[value] ?? value }))} value={kind} onChange={(value) => value && setKind(value as (typeof KINDS)[number])} />
      <div className="row nowrap">
        <TextInput type="datetime-local" label={texts.fields.starts} value={starts} onChange={(e) => setStarts(e.currentTarget.value)} className="grow" />
        <TextInput type="datetime-local" label={texts.fields.ends} value={ends} onChange={(e) => setEnds(e.currentTarget.value)} className="grow" />
      </div>
      <Select label={texts.fields.bypass} data={Object.entries(texts.bypass).map(([value, label]) => ({ value, label }))} value={bypass} onChange={(value) => setBypass(value ?? "")} />
      <Textarea label={texts.fields.invited} description={texts.fields.onePerLine} value={invited} onChange={(e) => setInvited(e.currentTarget.value)} rows={3} />
      {make.error && <Trouble error={make.error} wrote />}
      <Button type="submit" variant="filled" size="sm" loading={make.isPending}>{texts.make}</Button>
    </form>
  );
}
