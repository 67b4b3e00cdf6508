import { Button, Select } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { count } from "../api/figures";
import { organizationQuery } from "../api/organizations";
import { checkpointQuery, ledgerKeyQuery } from "../api/retention";
import { useOrg } from "../api/session";
import { useAddress } from "../frame/search-state";
import { Command, Share } from "../parts/copy";
import { Chip, Shape } from "../parts/facts";
import { save } from "../parts/save";
import { Panel, Screen } from "../parts/screen";
import { Empty } from "../parts/states";
import { keepTexts } from "../texts/keep";
import { useRegions } from "./regions";
import { SaveKey } from "./save-key";

const texts = keepTexts.ledger;

/** What was stored and deleted, in a log that can only grow. */
export function Ledger() {
  const [search, change] = useAddress();
  const home = useQuery(organizationQuery(useOrg())).data?.value.region;
  const regions = useRegions(home);
  const region = search["region"] ?? home ?? regions[0];
  return (
    <Screen
      title={texts.title}
      question={texts.question}
      actions={
        <>
          <Select aria-label={texts.region} data={regions.length > 0 ? regions : region ? [region] : []} value={region ?? null} onChange={(value) => change({ region: value ?? undefined })} size="xs" w={140} />
          <Share />
        </>
      }
    >
      {region !== undefined && <Log key={region} region={region} />}
    </Screen>
  );
}

function Log({ region }: { region: string }) {
  const checkpoint = useQuery(checkpointQuery(region));
  const key = useQuery(ledgerKeyQuery(region));
  if (checkpoint.error || key.error) return <Empty title={texts.none}>{texts.noneText}</Empty>;
  return (
    <div className="stack">
      <Panel
        title={texts.checkpoint}
        tools={checkpoint.data && <Button size="compact-sm" leftSection={<IconDownload size={14} stroke={1.75} />} onClick={() => save(`${region}.checkpoint`, "text/plain", checkpoint.data.text)}>{texts.saveCheckpoint}</Button>}
      >
        {checkpoint.data && (
          <div className="stack tight">
            <dl className="facts">
              <dt>{texts.origin}</dt>
              <dd><code>{checkpoint.data.origin}</code></dd>
              <dt>{texts.size}</dt>
              <dd><strong className="num">#{count(checkpoint.data.size)}</strong> <Chip tone="good"><Shape kind="good" /> {texts.signed}</Chip></dd>
              <dt>{texts.root}</dt>
              <dd><code>{checkpoint.data.root}</code></dd>
            </dl>
            <Command text={checkpoint.data.text.trim()} />
          </div>
        )}
      </Panel>
      <Panel title={texts.key} tools={<SaveKey region={region} />}>
        <div className="stack tight">
          <p className="quiet">{texts.keyHint}</p>
          {key.data && <Command text={key.data} />}
        </div>
      </Panel>
      <Panel title={texts.verify}>
        <div className="stack tight">
          {texts.verifyText.map((line) => <p key={line}>{line}</p>)}
          {texts.commands(region).map((line) => <Command key={line} text={line} />)}
        </div>
      </Panel>
    </div>
  );
}
