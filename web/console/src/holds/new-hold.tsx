import { Button, Select, TextInput, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Problem, body, client } from "../api/client";
import { type HoldInput, holdsQuery, previewOf } from "../api/retention";
import { useAddress } from "../frame/search-state";
import { useGo } from "../parts/go";
import { Panel, Screen } from "../parts/screen";
import { Trouble } from "../parts/states";
import { PreviewBox } from "../retention/preview";
import { keepTexts } from "../texts/keep";

const texts = keepTexts.holds;
type Target = "meeting" | "user" | "resource";

/** A hold shows what it covers before it is placed. */
export function NewHold() {
  const [search] = useAddress();
  const [on, setOn] = useState<Target>((search["on"] as Target | undefined) ?? "meeting");
  const [id, setId] = useState(search["id"] ?? "");
  const [reason, setReason] = useState("");
  // The same key again means the same hold: placing it twice by trying again does no harm.
  const key = useRef(crypto.randomUUID());
  const go = useGo();
  const queries = useQueryClient();
  const input: HoldInput = { [on]: id.trim(), reason: reason.trim() };
  const preview = useMutation({ mutationFn: () => previewOf({ hold: input }) });
  const place = useMutation({
    mutationFn: () => body(client.POST("/v1/retention/holds", { params: { header: { "Idempotency-Key": key.current } }, body: input })),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: holdsQuery.queryKey });
      go({ to: `/holds/${made.id}` });
    },
  });
  const changed = (): void => {
    preview.reset();
    place.reset();
    key.current = crypto.randomUUID();
  };
  const failed = preview.error ?? place.error;
  const unsettled = failed instanceof Problem && failed.code === "hold_unsettled";
  return (
    <Screen title={texts.new} question={texts.seeFirst}>
      <Panel title={texts.columns.what}>
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            if (preview.data) place.mutate();
            else preview.mutate();
          }}
        >
          <Select label={texts.columns.on} value={on} data={Object.entries(texts.covers).map(([value, label]) => ({ value, label }))} onChange={(value) => { if (value) setOn(value as Target); changed(); }} />
          <TextInput label={texts.ids[on]} value={id} onChange={(e) => { setId(e.currentTarget.value); changed(); }} required maxLength={128} spellCheck={false} />
          <Textarea label={texts.columns.reason} description={texts.reasonHint} value={reason} onChange={(e) => { setReason(e.currentTarget.value); changed(); }} required maxLength={256} rows={2} />
          {preview.data && <PreviewBox preview={preview.data} hold />}
          {unsettled ? <p className="warn" role="alert">{texts.unsettled}</p> : failed && <Trouble error={failed} wrote />}
          <div className="row">
            <Button type="submit" variant="filled" loading={preview.isPending || place.isPending}>{preview.data ? texts.place : texts.see}</Button>
          </div>
        </form>
      </Panel>
    </Screen>
  );
}
