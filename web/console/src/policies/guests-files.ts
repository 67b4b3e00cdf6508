import type { Files } from "../api/policies";

/** What the form of guests' capabilities writes: the choice as data, and one module that is always the same, with its test. */
export const GUESTS_MODULE = "guests.rego";
export const GUESTS_TEST = "guests_test.rego";
export const DATA_FILE = "data.json";

const MODULE = `package anteroom.organization

# METADATA
# title: What guests of this organisation don't have
# description: The list stands in data.json, under guests.withheld. The console's form writes it.
# custom:
#   rule: guests
#   reason: policy_restricted
withhold[capability] contains rego.metadata.rule().custom if {
	input.participant.kind == "guest"
	some capability in data.organization.guests.withheld
}
`;

const TEST = `package anteroom.organization_test

import data.anteroom.organization

test_guests_lack_what_is_withheld if {
	withheld := organization.withhold.sendChat with input as {"participant": {"kind": "guest"}}
		with data.organization.guests as {"withheld": ["sendChat"]}
	{refusal.reason | some refusal in withheld} == {"policy_restricted"}
}

test_guests_keep_the_rest if {
	withheld := organization.withhold with input as {"participant": {"kind": "guest"}}
		with data.organization.guests as {"withheld": ["sendChat"]}
	not withheld.unmuteMic
}

test_users_keep_everything if {
	withheld := organization.withhold with input as {"participant": {"kind": "org_user"}}
		with data.organization.guests as {"withheld": ["sendChat"]}
	not withheld.sendChat
}
`;

/** How the files and the form agree. */
export type GuestsState =
  /** Nothing of the form is there: guests have what the base policy gives them. */
  | { kind: "none" }
  /** The form wrote them; this is its choice. */
  | { kind: "form"; withheld: string[] }
  /** Somebody went beyond the form by hand: what, in the words of a reader. */
  | { kind: "edited"; why: "module" | "list" | "data" };

/** Reads the form's choice back out of the files. */
export function readGuests(files: Files): GuestsState {
  const data = readData(files[DATA_FILE]);
  if (data === undefined) return { kind: "edited", why: "data" };
  const module = files[GUESTS_MODULE];
  const guests = data["guests"];
  if (module === undefined && guests === undefined) return { kind: "none" };
  if (module !== MODULE) return { kind: "edited", why: "module" };
  const withheld = isObject(guests) ? guests["withheld"] : undefined;
  if (!isObject(guests) || Object.keys(guests).length !== 1 || !Array.isArray(withheld) || !withheld.every((name) => typeof name === "string")) return { kind: "edited", why: "list" };
  return { kind: "form", withheld };
}

/** The files with the choice in them. What else is in data.json stays; an unreadable data.json is not written over: undefined. */
export function writeGuests(files: Files, withheld: readonly string[]): Files | undefined {
  const data = readData(files[DATA_FILE]);
  if (data === undefined) return undefined;
  const next = { ...data, guests: { withheld: [...withheld] } };
  return { ...files, [DATA_FILE]: `${JSON.stringify(next, null, 2)}\n`, [GUESTS_MODULE]: MODULE, [GUESTS_TEST]: TEST };
}

/** The files without anything of the form. */
export function dropGuests(files: Files): Files {
  const { [GUESTS_MODULE]: _module, [GUESTS_TEST]: _test, ...rest } = files;
  const data = readData(rest[DATA_FILE]);
  if (data === undefined || data["guests"] === undefined) return rest;
  const { guests: _guests, ...others } = data;
  if (Object.keys(others).length > 0) return { ...rest, [DATA_FILE]: `${JSON.stringify(others, null, 2)}\n` };
  const { [DATA_FILE]: _data, ...rego } = rest;
  return rego;
}

function readData(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined || text.trim() === "") return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
