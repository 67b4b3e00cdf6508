import { Button, Switch } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type CapabilityDoc, type Evaluation, evaluate, referenceQuery } from "../api/policies";
import { useAddress } from "../frame/search-state";
import { Loaded, Trouble } from "../parts/states";
import { policyTexts } from "../texts/policies";
import { DATA_FILE, GUESTS_MODULE, type GuestsChoice, type GuestsState, dropGuests, readGuests, writeGuests } from "./guests-files";
import { GUEST_INSIDE } from "./typical";
import type { Work } from "./workspace";

const texts = policyTexts.guests;

/** Which capabilities guests have, as a form over the files: it reads what is there, and writes data and one rule. */
export function Guests({ work, begin }: { work: Work; begin: (() => void) | undefined }) {
  const reference = useQuery(referenceQuery(work.org));
  const state = useMemo(() => readGuests(work.files), [work.files]);
  const now = useQuery({
    queryKey: ["policy", work.org, "guests", work.files],
    queryFn: () => evaluate(work.org, { files: work.files }, { input: GUEST_INSIDE }),
    retry: false,
    gcTime: 0,
    placeholderData: (before) => before,
  });
  return (
    <div className="stack">
      <p className="guests-text">{texts.text}</p>
      {!work.setFiles && begin && <div className="row"><Button variant="filled" onClick={begin}>{policyTexts.edit}</Button><span className="quiet small">{texts.noDraft}</span></div>}
      {state.kind === "edited" && <Edited work={work} why={state.why} />}
      {now.error && <Trouble error={now.error} />}
      <Loaded query={reference}>{(found) => <Form work={work} state={state} capabilities={found.capabilities} now={now.data} />}</Loaded>
    </div>
  );
}

/** The form has no words for what is there, and says so instead of writing over it. */
function Edited({ work, why }: { work: Work; why: Extract<GuestsState, { kind: "edited" }>["why"] }) {
  const [, change] = useAddress();
  return (
    <div className="notice" role="alert">
      <p className="grow"><strong>{texts.edited}.</strong> {texts.editedWhy[why]} {texts.editedText}</p>
      <Button size="compact-sm" onClick={() => change({ view: undefined, file: why === "module" ? GUESTS_MODULE : DATA_FILE })}>{texts.toText}</Button>
      {work.setFiles && why !== "data" && <Button size="compact-sm" onClick={() => work.setFiles?.(writeGuests(work.files, { withheld: [], granted: [] }) ?? work.files)}>{texts.anew}</Button>}
    </div>
  );
}

const NOTHING_CHOSEN: GuestsChoice = { withheld: [], granted: [] };

function Form({ work, state, capabilities, now }: { work: Work; state: GuestsState; capabilities: CapabilityDoc[]; now: Evaluation | undefined }) {
  const { withheld, granted } = state.kind === "form" ? state : NOTHING_CHOSEN;
  const unknown = [...withheld, ...granted].filter((name) => !capabilities.some((c) => c.name === name));
  // In the order of the list of capabilities, so that the same choice is the same text.
  const order = (of: string): number => capabilities.findIndex((c) => c.name === of);
  const changed = (list: string[], name: string, into: boolean): string[] => [...list.filter((other) => other !== name), ...(into ? [name] : [])].sort((a, b) => order(a) - order(b));
  const set = ({ name, guests }: CapabilityDoc, has: boolean): void => {
    const files = writeGuests(work.files, { withheld: guests ? changed(withheld, name, !has) : withheld, granted: guests ? granted : changed(granted, name, has) });
    if (files) work.setFiles?.(files);
  };
  return (
    <>
      {unknown.length > 0 && <p className="small">{texts.unknown(unknown.join(", "))}</p>}
      <table className="guests-table">
        <thead><tr><th scope="col">{texts.columns.capability}</th><th scope="col">{texts.has}</th><th scope="col">{texts.columns.base}</th><th scope="col">{texts.columns.now}</th></tr></thead>
        <tbody>
          {capabilities.map((c) => (
            <tr key={c.name}>
              <th scope="row"><div><code>{c.name}</code>{c.description !== "" && <span className="quiet small">{c.description}</span>}</div></th>
              <td><Switch aria-label={texts.label(c.name)} checked={c.guests ? !withheld.includes(c.name) : granted.includes(c.name)} disabled={!work.setFiles || state.kind === "edited" || (!c.guests && !c.grantable && !granted.includes(c.name))} onChange={(e) => set(c, e.currentTarget.checked)} /></td>
              <td className="small" data-label={texts.columns.base}>{c.guests ? texts.baseHas : texts.baseHasNot(c.reason)}{!c.guests && c.grantable && `, ${texts.grantable}`}</td>
              <td className="small" data-label={texts.columns.now}><Now grant={now?.grants?.[c.name]} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {state.kind === "form" && work.setFiles && <div className="row"><Button size="compact-sm" onClick={() => work.setFiles?.(dropGuests(work.files))}>{texts.drop}</Button></div>}
    </>
  );
}

/** What the policy, as it is here, gives a guest who is inside: other rules may withhold more than the form does. */
function Now({ grant }: { grant: { allowed: boolean; reason?: string } | undefined }) {
  if (!grant) return <span className="quiet">–</span>;
  return grant.allowed ? <span><span aria-hidden="true" className="good-mark">✓</span> {texts.nowHas}</span> : <span><span aria-hidden="true" className="poor-mark">✗</span> {texts.nowHasNot(grant.reason ?? "")}</span>;
}
