import { Button, Popover, Select, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { FILTERS, type FilterName, type Filters } from "../api/filters";
import { dayTime } from "../api/times";
import { useAddress } from "../frame/search-state";
import { metricName, valueName } from "../parts/reasons";
import { callTexts } from "../texts/calls";
import { commonTexts } from "../texts/common";
import { type ViewScreen, Views } from "./views";
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

/** How long a window is, or from when until when. */
export function windowText(filters: Filters): string {
  if (filters.last) return callTexts.last[filters.last] ?? filters.last;
  if (!filters.from && !filters.to) return callTexts.wholeTime;
  return [filters.from, filters.to].map((at) => (at ? dayTime(new Date(at)) : "…")).join(" – ");
}

/** What narrows the list: the time (or the screen's own way to choose it), and whatever else is set, each with a way to take it away. */
export function FilterBar({ filters, screen, children }: { filters: Filters; screen: ViewScreen; children?: ReactNode }) {
  const [, change] = useAddress();
  const [adding, setAdding] = useState<FilterName>();
  const set = FILTERS.filter((name) => !TIMES.includes(name) && filters[name] !== undefined);
  const custom = filters.last === undefined || callTexts.last[filters.last] === undefined;
  const times = Object.entries(callTexts.last).map(([value, label]) => ({ value, label }));
  return (
    <div className="row filters" role="group" aria-label={callTexts.filter}>
      {children ?? <Select
        size="xs"
        w={custom ? 230 : 140}
        aria-label={callTexts.time}
        value={custom ? "custom" : (filters.last ?? null)}
        data={custom ? [{ value: "custom", label: windowText(filters) }, ...times] : times}
        onChange={(value) => value && value !== "custom" && change({ last: value, from: undefined, to: undefined })}
      />}
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
      <AddFilter adding={adding} setAdding={setAdding} filters={filters} set={(name, value) => change({ [name]: value })} />
      {set.length > 0 && (
        <Button variant="subtle" size="compact-sm" onClick={() => change(Object.fromEntries(set.map((name) => [name, undefined])))}>
          {callTexts.clear}
        </Button>
      )}
      <Views screen={screen} />
    </div>
  );
}

function shownValue(name: FilterName, value: string): string {
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
              if (value !== "") set(adding, value);
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
        done(text.trim());
      }}
    >
      <TextInput label={label} value={text} onChange={(event) => setText(event.currentTarget.value)} maxLength={128} inputMode={name.endsWith("_s") ? "numeric" : "text"} data-autofocus />
      <Button type="submit" mt={24}>
        {commonTexts.save}
      </Button>
    </form>
  );
}
