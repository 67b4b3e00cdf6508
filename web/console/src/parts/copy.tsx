import { Button } from "@mantine/core";
import { IconCheck, IconCopy, IconLink } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { commonTexts } from "../texts/common";

/** Copies a text; says so for a moment. */
export function Copy({ text, label = commonTexts.copy, icon = <IconCopy size={16} stroke={1.75} /> }: { text: string | (() => string); label?: string; icon?: React.ReactNode }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = (): void => void navigator.clipboard.writeText(typeof text === "string" ? text : text()).then(() => setDone(true));
  return (
    <Button leftSection={done ? <IconCheck size={16} stroke={1.75} /> : icon} onClick={copy} aria-live="polite">
      {done ? commonTexts.copied : label}
    </Button>
  );
}

/** Copies the address of exactly this view. */
export function Share() {
  return <Copy text={() => location.href} label={commonTexts.share} icon={<IconLink size={16} stroke={1.75} />} />;
}

/** A command or a digest, ready to copy. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <pre tabIndex={0} role="region" aria-label={commonTexts.copy}>{text}</pre>
      <Copy text={text} />
    </div>
  );
}
