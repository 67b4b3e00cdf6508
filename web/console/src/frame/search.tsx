import { Combobox, TextInput, useCombobox } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type RefObject, useEffect, useState } from "react";
import { usersQuery } from "../api/organizations";
import { mayUse, useSession } from "../api/session";
import { type Place, useGo } from "../parts/go";
import { frameTexts } from "../texts/frame";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const CODE = new RegExp(`^(${UUID})/(${UUID})$`, "i");
const ID = new RegExp(`^${UUID}$`, "i");

interface Hit {
  id: string;
  text: string;
  place: Place;
}

/** Search for a call by its id, by the support code that a guest was shown, or by a person. */
export function SearchBox({ field }: { field: RefObject<HTMLInputElement | null> }) {
  const session = useSession();
  const go = useGo();
  const [text, setText] = useState("");
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const people = useQuery({ ...usersQuery(session.organization ?? undefined), enabled: text.trim().length > 1 && session.organization !== null });
  const found = hits(text.trim(), people.data ?? []);
  // People come later than what was typed: then the first of all is meant.
  const known = people.data?.length;
  useEffect(() => {
    if (known !== undefined) box.selectFirstOption();
  }, [known]);
  if (!mayUse("calls", session.roles)) return <div className="search" />;
  const open = (id: string): void => {
    const hit = found.find((h) => h.id === id);
    if (!hit) return;
    box.closeDropdown();
    setText("");
    field.current?.blur();
    go(hit.place);
  };
  return (
    <div className="search">
      <Combobox store={box} onOptionSubmit={open} withinPortal transitionProps={{ duration: 0 }}>
        <Combobox.Target>
          <TextInput
            ref={field}
            type="search"
            size="xs"
            aria-label={frameTexts.searchLabel}
            placeholder={frameTexts.search}
            leftSection={<IconSearch size={16} stroke={1.75} aria-hidden />}
            rightSection={<kbd aria-hidden="true">/</kbd>}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
              box.openDropdown();
              box.selectFirstOption();
            }}
            onFocus={() => box.openDropdown()}
            onBlur={() => box.closeDropdown()}
            onKeyDown={(event) => {
              if (event.key === "Escape") field.current?.blur();
              // A code that was pasted is opened at once, whether the list has caught up or not.
              if (event.key === "Enter" && box.getSelectedOptionIndex() < 0 && found[0]) open(found[0].id);
            }}
          />
        </Combobox.Target>
        <Combobox.Dropdown>
          <Combobox.Options aria-label={frameTexts.searchLabel}>
            {found.length === 0 ? <Combobox.Empty>{frameTexts.searchNone}</Combobox.Empty> : found.map((hit) => <Combobox.Option key={hit.id} value={hit.id}><bdi>{hit.text}</bdi></Combobox.Option>)}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
    </div>
  );
}

function hits(text: string, people: readonly { id: string; name: string }[]): Hit[] {
  if (text === "") return [];
  const code = CODE.exec(text);
  if (code?.[1] && code[2]) {
    return [{ id: "code", text: frameTexts.searchCode, place: { to: `/calls/${code[1].toLowerCase()}`, state: { participant: code[2].toLowerCase() } } }];
  }
  const out: Hit[] = [];
  if (ID.test(text)) out.push({ id: "call", text: frameTexts.searchCall, place: { to: `/calls/${text.toLowerCase()}` } });
  const lower = text.toLowerCase();
  const fits = people.filter((p) => p.name.toLowerCase().includes(lower) || p.id.toLowerCase() === lower).slice(0, 8);
  for (const p of fits) out.push({ id: `user:${p.id}`, text: frameTexts.searchPerson(p.name), place: { to: "/calls", state: { user: p.id, last: "7d" } } });
  out.push({ id: "text", text: frameTexts.searchText(text), place: { to: "/calls", state: { q: text } } });
  return out;
}
