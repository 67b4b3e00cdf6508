import type { Files } from "../api/policies";

/** What the form of guests' capabilities writes: the choice as data, and a module that is one of two, with its test: grants are in it only where there are any. */
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

const GRANT = `
# METADATA
# title: What guests of this organisation have beyond the base policy
# description: The list stands in data.json, under guests.granted. It reaches no further than what the operator lets be given.
grant contains capability if {
	input.participant.kind == "guest"
	some capability in data.organization.guests.granted
}
`;

const GRANT_TEST = `
test_guests_have_what_is_granted if {
	organization.grant == {"raiseHand"} with input as {"participant": {"kind": "guest"}}
		with data.organization.guests as {"withheld": [], "granted": ["raiseHand"]}
}

test_users_are_granted_nothing if {
	organization.grant == set() with input as {"participant": {"kind": "org_user"}}
		with data.organization.guests as {"withheld": [], "granted": ["raiseHand"]}
}
`;

/** What the form chooses: capabilities that guests lack beside those of the base policy, and those that they have although it refuses them. */
export interface GuestsChoice {
  withheld: string[];
  granted: string[];
}

/** How the files and the form agree. */
export type GuestsState =
  /** Nothing of the form is there: guests have what the base policy gives them. */
  | { kind: "none" }
  /** The form wrote them; this is its choice. */
  | ({ kind: "form" } & GuestsChoice)
  /** Somebody went beyond the form by hand: what, in the words of a reader. */
  | { kind: "edited"; why: "module" | "list" | "data" };

/** Reads the form's choice back out of the files. */
export function readGuests(files: Files): GuestsState {
  const data = readData(files[DATA_FILE]);
  if (data === undefined) return { kind: "edited", why: "data" };
  const module = files[GUESTS_MODULE];
  const guests = data["guests"];
  if (module === undefined && guests === undefined) return { kind: "none" };
  const grants = module === MODULE + GRANT;
  if (module !== MODULE && !grants) return { kind: "edited", why: "module" };
  if (!isObject(guests) || Object.keys(guests).some((name) => name !== "withheld" && !(grants && name === "granted"))) return { kind: "edited", why: "list" };
  const { withheld, granted = [] } = guests;
  return isNames(withheld) && isNames(granted) ? { kind: "form", withheld, granted } : { kind: "edited", why: "list" };
}

/** The files with the choice in them. What else is in data.json stays; an unreadable data.json is not written over: undefined. */
export function writeGuests(files: Files, { withheld, granted }: GuestsChoice): Files | undefined {
  const data = readData(files[DATA_FILE]);
  if (data === undefined) return undefined;
  const grants = granted.length > 0;
  const next = { ...data, guests: { withheld, ...(grants && { granted }) } };
  return { ...files, [DATA_FILE]: `${JSON.stringify(next, null, 2)}\n`, [GUESTS_MODULE]: grants ? MODULE + GRANT : MODULE, [GUESTS_TEST]: grants ? TEST + GRANT_TEST : TEST };
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

const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every((name) => typeof name === "string");
