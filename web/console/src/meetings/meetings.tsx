import { Button, Drawer } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type Meeting, meetingsQuery } from "../api/meetings";
import { useHas } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Share } from "../parts/copy";
import { Chip, Name, Time } from "../parts/facts";
import { Go } from "../parts/go";
import { Screen } from "../parts/screen";
import { Empty, Loaded } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { commonTexts } from "../texts/common";
import { meetingTexts as texts } from "../texts/meetings";
import { NewMeeting } from "./new-meeting";

/** Who meets when, and by which link? */
export function Meetings() {
  const [search, change] = useAddress();
  const mayMake = useHas("org_user");
  const meetings = useQuery(meetingsQuery);
  return (
    <Screen
      title={texts.title}
      question={texts.question}
      actions={
        <>
          {mayMake && <Button variant="filled" onClick={() => change({ new: "1" })}>{texts.new}</Button>}
          <Share />
        </>
      }
    >
      <Loaded query={meetings}>
        {(rows) => (
          <DataTable<Meeting>
            label={texts.title}
            columns={columns}
            rows={rows}
            rowId={(m) => m.id}
            open={(m) => ({ to: `/meetings/${m.id}` })}
            empty={<Empty title={texts.none}>{mayMake ? texts.noneText : texts.noneAdmin}</Empty>}
          />
        )}
      </Loaded>
      <Drawer opened={search["new"] !== undefined} onClose={() => change({ new: undefined })} position="right" size={420} title={texts.new} closeButtonProps={{ "aria-label": commonTexts.close }}>
        <NewMeeting />
      </Drawer>
    </Screen>
  );
}

const columns: Column<Meeting>[] = [
  { id: "title", header: texts.columns.title, wide: true, value: (m) => m.title, cell: (m) => <Go to={`/meetings/${m.id}`}><Name text={m.title} /></Go> },
  { id: "kind", header: texts.columns.kind, value: (m) => texts.kinds[m.kind] ?? m.kind },
  { id: "organizer", header: texts.columns.organizer, value: (m) => m.organizer, cell: (m) => <Name text={m.organizer} /> },
  { id: "starts_at", header: texts.columns.starts, value: (m) => m.starts_at, cell: (m) => <Time at={m.starts_at} /> },
  { id: "ends_at", header: texts.columns.ends, hidden: true, value: (m) => m.ends_at, cell: (m) => <Time at={m.ends_at} /> },
  { id: "state", header: texts.columns.state, value: (m) => (m.cancelled ? texts.cancelled : texts.open), cell: (m) => (m.cancelled ? <Chip tone="poor">{texts.cancelled}</Chip> : <Chip>{texts.open}</Chip>) },
  { id: "updated_at", header: texts.columns.changed, value: (m) => m.updated_at, cell: (m) => <Time at={m.updated_at} /> },
  { id: "id", header: texts.columns.id, hidden: true, value: (m) => m.id, cell: (m) => <code>{m.id}</code> },
];
