import { Button, Popover, Select, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { DECISION_FILTERS, type DecisionFilter, type DecisionFilters } from "../api/decisions";
import { referenceQuery } from "../api/policies";
import { useOrg } from "../api/session";
import { dayTime } from "../api/times";
import { useAddress } from "../frame/search-state";
import { commonTexts } from "../texts/common";
import { decisionTexts as texts } from "../texts/decisions";
import "../parts/filters.css";

/** Values of those filters that have a closed set. */
function useChoices(): Partial<Record<DecisionFilter, { value: string; label: string }[]>> {
  const org = useOrg();
  const reference = useQuery({ ...referenceQuery(org ?? ""), enabled: org !== undefined });
  return {
    effect: ["allow", "deny", "lobby"].map((value) => ({ value, label: texts.effects[value] ?? value })),
    action: ["join", "use"].map((value) => ({ value, label: texts.actions[value] ?? value })),
    error: [{ value: "true", label: texts.filters["error"] ?? "" }],
    ...(reference.data && { capability: reference.data.capabilities.map(({ name }) => ({ value: name, label: name })) }),
  };
}

/** What narrows the list: the time, and whatever else is set, each with a way to take it away. */
export function DecisionFilterBar({ filters }: { filters: DecisionFilters }) {
  const [, change] = useAddress();
  const [adding, setAdding] = useState<DecisionFilter>();
  const choices = useChoices();
  const set = DECISION_FILTERS.filter((name) => filters[name] !== undefined);
  const custom = filters.last === undefined || texts.last[filters.last] === undefined;
  const times = Object.entries(texts.last).map(([value, label]) => ({ value, label }));
  const shown = (name: DecisionFilter): string => choices[name]?.find((c) => c.value === filters[name])?.label ?? filters[name] ?? "";
  return (
    <div className="row filters" role="group" aria-label={texts.filter}>
      <Select
        size="xs"
        w={custom ? 230 : 140}
        aria-label={texts.time}
        value={custom ? "custom" : (filters.last ?? null)}
        data={custom ? [{ value: "custom", label: [filters.from, filters.to].map((at) => (at ? dayTime(new Date(at)) : "…")).join(" – ") }, ...times] : times}
        onChange={(value) => value && value !== "custom" && change({ last: value, from: undefined, to: undefined })}
      />
      {set.map((name) => (
        <span key={name} className="filter-chip">
          <button type="button" onClick={() => setAdding(name)}><span className="quiet">{texts.filters[name]}</span> <bdi>{shown(name)}</bdi></button>
          <button type="button" className="filter-gone" aria-label={texts.remove(texts.filters[name] ?? name)} onClick={() => change({ [name]: undefined })}><IconX size={14} stroke={2} aria-hidden /></button>
        </span>
      ))}
      <Add adding={adding} setAdding={setAdding} filters={filters} choices={choices} set={(name, value) => change({ [name]: value })} />
      {set.length > 0 && <Button variant="subtle" size="compact-sm" onClick={() => change(Object.fromEntries(set.map((name) => [name, undefined])))}>{texts.clear}</Button>}
    </div>
  );
}

interface AddProps {
  adding: DecisionFilter | undefined;
  setAdding: (name: DecisionFilter | undefined) => void;
  filters: DecisionFilters;
  choices: ReturnType<typeof useChoices>;
  set: (name: DecisionFilter, value: string) => void;
}

/** First which filter, then its value. */
function Add({ adding, setAdding, filters, choices, set }: AddProps) {
  const [listed, setListed] = useState(false);
  const close = (): void => {
    setListed(false);
    setAdding(undefined);
  };
  return (
    <Popover opened={listed || adding !== undefined} onDismiss={close} onChange={(opened) => !opened && close()} trapFocus position="bottom-start" returnFocus>
      <Popover.Target>
        <Button size="compact-sm" leftSection={<IconPlus size={14} stroke={2} />} onClick={() => (listed || adding ? close() : setListed(true))}>{texts.filter}</Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={texts.addFilter}>
        {adding ? (
          <One key={adding} name={adding} value={filters[adding] ?? ""} choices={choices[adding]} done={(value) => { close(); if (value !== "") set(adding, value); }} />
        ) : (
          <ul className="filter-names">
            {DECISION_FILTERS.map((name, i) => <li key={name}><button type="button" data-autofocus={i === 0 || undefined} onClick={() => setAdding(name)}>{texts.filters[name]}</button></li>)}
          </ul>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

function One({ name, value, choices, done }: { name: DecisionFilter; value: string; choices: { value: string; label: string }[] | undefined; done: (value: string) => void }) {
  const [text, setText] = useState(value);
  const label = texts.filters[name] ?? name;
  if (choices) return <Select label={label} data={choices} value={value || null} onChange={(choice) => done(choice ?? "")} comboboxProps={{ withinPortal: false }} data-autofocus defaultDropdownOpened searchable={choices.length > 8} />;
  return (
    <form className="row nowrap" onSubmit={(event) => { event.preventDefault(); done(text.trim()); }}>
      <TextInput label={label} value={text} onChange={(event) => setText(event.currentTarget.value)} maxLength={128} data-autofocus />
      <Button type="submit" mt={24}>{commonTexts.save}</Button>
    </form>
  );
}
