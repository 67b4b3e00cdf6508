import { Button, Popover, Select, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";
import { FILTERS, type FilterName, type Filters } from "../api/filters";
import { useAddress } from "../frame/search-state";
import { metricName, valueName } from "../parts/reasons";
import { callTexts } from "../texts/calls";
import "../parts/filters.css";

/** Values of those filters that have a closed set. */
const CHOICES: Partial<Record<FilterName, readonly string[]>> = {
  verdict: ["poor", "good", "unknown"],
  reason: Object.keys(callTexts.metrics),
  side: ["sender_uplink", "server", "receiver_downlink", "device", "none"],
  kind: ["meeting", "group", "p2p"],
  state: ["running", "partial", "complete"],
  recorded: ["true", "false"],
  source: ["media", "acs", "rtcstats", "webrtc-internals"],
  profile: ["call-diagnostics", "cqd", "real-time", "insights"],
};
const OFFERED: readonly FilterName[] = [
  "verdict", "reason", "side", "user", "client", "client_version", "region", "site", "subnet", "kind", "state", "min_duration_s", "max_duration_s",
  "recorded", "tag", "q", "source", "profile",
];
const TIMES: readonly FilterName[] = ["from", "to", "last", "org"];

/** What is set besides the time, in its order. */
export const narrowing = (filters: Filters): FilterName[] => FILTERS.filter((name) => !TIMES.includes(name) && filters[name] !== undefined);

/** What narrows calls besides the time: each filter with a way to change it and to take it away, and a way to add one. The address holds them. */
export function FilterChips({ filters }: { filters: Filters }) {
  const [, change] = useAddress();
  const [adding, setAdding] = useState<FilterName>();
  const set = narrowing(filters);
  return (
    <>
      {set.map((name) => (
        <span key={name} className="filter-chip">
          <button type="button" onClick={() => setAdding(name)}>
            <span className="quiet">{callTexts.filters[name]}</span> <bdi>{shownValue(name, filters[name] ?? "")}</bdi>
          </button>
          <button type="button" className="filter-gone" aria-label={callTexts.remove(callTexts.filters[name] ?? name)} onClick={() => change({ [name]: undefined })}>
            <IconX size={14} stroke={2} aria-hidden />
          </button>
        </span>
      ))}
      <AddFilter adding={adding} setAdding={setAdding} filters={filters} set={(name, value) => change({ [name]: value === "" ? undefined : value })} />
      {set.length > 0 && (
        <Button variant="subtle" size="compact-sm" onClick={() => change(Object.fromEntries(set.map((name) => [name, undefined])))}>
          {callTexts.clear}
        </Button>
      )}
    </>
  );
}

/** A filter's value in words. */
export function shownValue(name: FilterName, value: string): string {
  return name === "reason" ? metricName(value) : CHOICES[name] ? valueName(value) : value;
}

interface AddProps {
  adding: FilterName | undefined;
  setAdding: (name: FilterName | undefined) => void;
  filters: Filters;
  set: (name: FilterName, value: string) => void;
}

/** First which filter, then its value. A filter that is there already is opened at its value. */
function AddFilter({ adding, setAdding, filters, set }: AddProps) {
  const [listed, setListed] = useState(false);
  const close = (): void => {
    setListed(false);
    setAdding(undefined);
  };
  return (
    <Popover opened={listed || adding !== undefined} onDismiss={close} onChange={(opened) => !opened && close()} trapFocus position="bottom-start" returnFocus>
      <Popover.Target>
        <Button size="compact-sm" leftSection={<IconPlus size={14} stroke={2} />} onClick={() => (listed || adding ? close() : setListed(true))}>
          {callTexts.filter}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={callTexts.addFilter}>
        {adding ? (
          <OneFilter
            key={adding}
            name={adding}
            value={filters[adding] ?? ""}
            done={(value) => {
              close();
              set(adding, value);
            }}
          />
        ) : (
          <ul className="filter-names">
            {OFFERED.map((name, i) => (
              <li key={name}>
                <button type="button" data-autofocus={i === 0 || undefined} onClick={() => setAdding(name)}>
                  {callTexts.filters[name]}
                </button>
              </li>
            ))}
          </ul>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

function OneFilter({ name, value, done }: { name: FilterName; value: string; done: (value: string) => void }) {
  const [text, setText] = useState(value);
  const choices = CHOICES[name];
  const label = callTexts.filters[name] ?? name;
  if (choices) {
    const data = choices.map((choice) => ({ value: choice, label: shownValue(name, choice) }));
    return <Select label={label} data={data} value={value || null} onChange={(choice) => done(choice ?? "")} comboboxProps={{ withinPortal: false }} data-autofocus />;
  }
  return (
    <form
      className="row nowrap"
      onSubmit={(event) => {
        event.preventDefault();
        // Where filters are part of a form, that one isn't meant.
        event.stopPropagation();
        done(text.trim());
      }}
    >
      <TextInput label={label} value={text} onChange={(event) => setText(event.currentTarget.value)} maxLength={128} inputMode={name.endsWith("_s") ? "numeric" : "text"} data-autofocus />
      <Button type="submit" mt={24}>
        {callTexts.apply}
      </Button>
    </form>
  );
}
