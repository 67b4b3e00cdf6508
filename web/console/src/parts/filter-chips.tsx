import { Button, Popover, Select, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useState } from "react";
import "./filters.css";

interface Choice {
  value: string;
  label: string;
}

interface Words {
  filter: string;
  addFilter: string;
  clear: string;
  /** What the button beside a text says. */
  apply: string;
  remove: (label: string) => string;
}

interface OneProps<Name extends string> {
  label: (name: Name) => string;
  value: (name: Name) => string;
  /** The values of a filter that has a closed set. */
  choices: (name: Name) => Choice[] | undefined;
  /** Choices may be many: they are shown at once, and searched. */
  manyChoices?: boolean;
  /** Whether a filter's value is a number. */
  numeric?: (name: Name) => boolean;
  words: Words;
}

interface Props<Name extends string> extends OneProps<Name> {
  /** Those that are set, in their order, and those that may be. */
  set: readonly Name[];
  offered: readonly Name[];
  /** A filter's value in words. */
  shown: (name: Name) => string;
  /** Takes a value that was typed or chosen; it may be "". */
  add: (name: Name, value: string) => void;
  remove: (names: readonly Name[]) => void;
}

/** What narrows a list: each filter with a way to change it and to take it away, and a way to add one. */
export function FilterChips<Name extends string>({ set, offered, shown, add, remove, ...one }: Props<Name>) {
  const [adding, setAdding] = useState<Name>();
  const { label, words } = one;
  return (
    <>
      {set.map((name) => (
        <span key={name} className="filter-chip">
          <button type="button" onClick={() => setAdding(name)}>
            <span className="quiet">{label(name)}</span> <bdi>{shown(name)}</bdi>
          </button>
          <button type="button" className="filter-gone" aria-label={words.remove(label(name))} onClick={() => remove([name])}>
            <IconX size={14} stroke={2} aria-hidden />
          </button>
        </span>
      ))}
      <AddFilter adding={adding} setAdding={setAdding} offered={offered} add={add} {...one} />
      {set.length > 0 && (
        <Button variant="subtle" size="compact-sm" onClick={() => remove(set)}>
          {words.clear}
        </Button>
      )}
    </>
  );
}

interface AddProps<Name extends string> extends OneProps<Name> {
  adding: Name | undefined;
  setAdding: (name: Name | undefined) => void;
  offered: readonly Name[];
  add: (name: Name, value: string) => void;
}

/** First which filter, then its value. A filter that is there already is opened at its value. */
function AddFilter<Name extends string>({ adding, setAdding, offered, add, ...one }: AddProps<Name>) {
  const [listed, setListed] = useState(false);
  const close = (): void => {
    setListed(false);
    setAdding(undefined);
  };
  return (
    <Popover opened={listed || adding !== undefined} onDismiss={close} onChange={(opened) => !opened && close()} trapFocus position="bottom-start" returnFocus>
      <Popover.Target>
        <Button size="compact-sm" leftSection={<IconPlus size={14} stroke={2} />} onClick={() => (listed || adding ? close() : setListed(true))}>
          {one.words.filter}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={one.words.addFilter}>
        {adding ? (
          <OneFilter
            key={adding}
            name={adding}
            done={(value) => {
              close();
              add(adding, value);
            }}
            {...one}
          />
        ) : (
          <ul className="filter-names">
            {offered.map((name, i) => (
              <li key={name}>
                <button type="button" data-autofocus={i === 0 || undefined} onClick={() => setAdding(name)}>
                  {one.label(name)}
                </button>
              </li>
            ))}
          </ul>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

interface OneFilterProps<Name extends string> extends OneProps<Name> {
  name: Name;
  done: (value: string) => void;
}

function OneFilter<Name extends string>({ name, done, label, value, choices, manyChoices = false, numeric, words }: OneFilterProps<Name>) {
  const [text, setText] = useState(value(name));
  const data = choices(name);
  if (data) {
    return (
      <Select
        label={label(name)}
        data={data}
        value={value(name) || null}
        onChange={(choice) => done(choice ?? "")}
        comboboxProps={{ withinPortal: false }}
        data-autofocus
        defaultDropdownOpened={manyChoices}
        searchable={manyChoices && data.length > 8}
      />
    );
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
      <TextInput label={label(name)} value={text} onChange={(event) => setText(event.currentTarget.value)} maxLength={128} inputMode={numeric?.(name) ? "numeric" : "text"} data-autofocus />
      <Button type="submit" mt={24}>
        {words.apply}
      </Button>
    </form>
  );
}
