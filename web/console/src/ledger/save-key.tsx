import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { ledgerKeyQuery } from "../api/retention";
import { save } from "../parts/save";
import { keepTexts } from "../texts/keep";

/** Saves the key that a region's reports are checked with, if the region has a ledger. */
export function SaveKey({ region }: { region: string }) {
  const key = useQuery(ledgerKeyQuery(region));
  if (key.data === undefined) return null;
  return (
    <Button size="compact-sm" leftSection={<IconDownload size={14} stroke={1.75} />} onClick={() => save(`${region}.key`, "text/plain", `${key.data}\n`)}>
      {keepTexts.ledger.saveKey}
    </Button>
  );
}
