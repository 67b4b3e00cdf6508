import { ActionIcon, Button, Checkbox, Menu, Modal, TextInput } from "@mantine/core";
import { IconBookmark, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { deleteView, saveView, viewsQuery } from "../api/analytics";
import { Go } from "../parts/go";
import { Trouble } from "../parts/states";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";

/** The screens that have views. */
export type ViewScreen = "calls" | "quality";

/** Saved views: the state of an address under a name. */
export function Views({ screen }: { screen: ViewScreen }) {
  const [naming, setNaming] = useState(false);
  const queries = useQueryClient();
  const views = useQuery(viewsQuery);
  const remove = useMutation({
    mutationFn: deleteView,
    onSuccess: () => queries.invalidateQueries(viewsQuery),
  });
  if (views.error) return null;
  const mine = (views.data ?? []).filter((v) => v.screen === screen);
  return (
    <>
      <Menu position="bottom-start">
        <Menu.Target>
          <Button size="compact-sm" leftSection={<IconBookmark size={14} stroke={2} />}>
            {callTexts.views}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {mine.length === 0 && <Menu.Label>{callTexts.noViews}</Menu.Label>}
          {mine.map((view) => (
            <div key={view.id} className="row nowrap view-line">
              <Go to={`/${screen}`} state={Object.fromEntries(new URLSearchParams(view.query))} className="grow">
                <bdi>{view.name}</bdi>
              </Go>
              {view.mine && (
                <ActionIcon size="sm" aria-label={callTexts.deleteView(view.name)} onClick={() => remove.mutate(view.id)}>
                  <IconTrash size={14} stroke={1.75} />
                </ActionIcon>
              )}
            </div>
          ))}
          <Menu.Divider />
          <Menu.Item onClick={() => setNaming(true)}>{callTexts.saveView}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={naming} onClose={() => setNaming(false)} title={callTexts.saveView} size="sm" closeButtonProps={{ "aria-label": commonTexts.close }}>
        <NameView screen={screen} done={() => setNaming(false)} />
      </Modal>
    </>
  );
}

function NameView({ screen, done }: { screen: ViewScreen; done: () => void }) {
  const [name, setName] = useState("");
  const queries = useQueryClient();
  const [shared, setShared] = useState(false);
  const make = useMutation({
    mutationFn: () => saveView({ name: name.trim(), screen, query: location.search.replace(/^\?/, ""), shared }),
    onSuccess: async () => {
      await queries.invalidateQueries(viewsQuery);
      done();
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
      <TextInput label={callTexts.viewName} description={callTexts.viewHint} value={name} onChange={(event) => setName(event.currentTarget.value)} maxLength={128} required data-autofocus />
      <Checkbox label={callTexts.viewShared} checked={shared} onChange={(event) => setShared(event.currentTarget.checked)} />
      {make.error && <Trouble error={make.error} wrote />}
      <div className="row end">
        <Button type="submit" variant="filled" loading={make.isPending}>
          {commonTexts.save}
        </Button>
      </div>
    </form>
  );
}
