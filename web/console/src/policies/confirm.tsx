import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import { Trouble } from "../parts/states";
import { commonTexts } from "../texts/common";

interface Run {
  mutate: () => void;
  isPending: boolean;
  error: unknown;
}

/** Asks before something is done; `children` are fields that it needs. */
export function Confirm({ title, text, confirm, red = false, run, close, children, disabled = false, trouble }: {
  title: string; text: string; confirm: string; red?: boolean; run: Run; close: () => void; children?: ReactNode; disabled?: boolean;
  /** Instead of what is said of any error. */
  trouble?: ReactNode;
}) {
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ "aria-label": commonTexts.close }}>
      <form className="stack" onSubmit={(event) => { event.preventDefault(); run.mutate(); }}>
        <p>{text}</p>
        {children}
        {trouble ?? (run.error ? <Trouble error={run.error} wrote /> : null)}
        <div className="row end">
          <Button onClick={close}>{commonTexts.cancel}</Button>
          <Button type="submit" variant="filled" {...(red && { color: "red" })} loading={run.isPending} disabled={disabled}>{confirm}</Button>
        </div>
      </form>
    </Modal>
  );
}
