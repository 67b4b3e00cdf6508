import type { Files } from "../api/policies";

/** Where tests that are made of decisions go. */
export const DECISIONS_TEST = "decisions_test.rego";

const HEAD = `package anteroom.organization_test

import data.anteroom.organization
`;

/** A decision as a test needs it: its input, and what the organisation's rules say of it now. */
export interface Recorded {
  /** A word of a-z, 0-9 and _ that tells it from others. */
  name: string;
  input: unknown;
  /** The value of data.anteroom.organization under that input. */
  rules: unknown;
  /** What it comes to, for the comment. */
  effect: string;
  reasons: readonly string[];
}

/** Rules of an organisation that are sets, and the one that is a set per capability. */
const SETS = ["deny", "lobby", "grant"] as const;

/** The files with a test that holds the organisation's rules to what they say of this decision now, and where the test is. */
export function withTest(files: Files, decision: Recorded): { files: Files; name: string; file: string } {
  const before = (files[DECISIONS_TEST] ?? HEAD).trimEnd();
  const name = freeName(before, `test_${decision.name}`);
  const head = `${before}\n\n# ${why(decision)}\n`;
  const text = `${head}${testOf(name, decision)}`;
  return { files: { ...files, [DECISIONS_TEST]: text }, name, file: DECISIONS_TEST };
}

function testOf(name: string, { input, rules }: Recorded): string {
  const of = name.replace(/^test_/, "");
  // The rules of an organisation never see which capability is asked for.
  const asked = typeof input === "object" && input !== null ? { ...input, capability: "" } : input;
  const said = isObject(rules) ? rules : {};
  const lines = SETS.flatMap((rule) => (Array.isArray(said[rule]) ? [`\torganization.${rule} == ${setOf(said[rule])} with input as ${of}`] : []));
  const withhold = said["withhold"];
  if (isObject(withhold)) {
    const entries = Object.entries(withhold).map(([capability, refusals]) => `${JSON.stringify(capability)}: ${setOf(Array.isArray(refusals) ? refusals : [])}`);
    lines.push(`\torganization.withhold == {${entries.join(", ")}} with input as ${of}`);
  }
  // Rules that don't exist say nothing of anybody.
  if (lines.length === 0) lines.push(`\tnot organization.deny with input as ${of}`);
  return `${name} if {\n${lines.join("\n")}\n}\n\n${of} := ${JSON.stringify(asked, null, "\t")}\n`;
}

const why = ({ effect, reasons }: Recorded): string => `A recorded decision: ${[effect, ...(reasons.length > 0 ? [reasons.join(", ")] : [])].join(", ")}.`.replaceAll(/[\r\n]/g, " ");

const setOf = (values: readonly unknown[]): string => (values.length === 0 ? "set()" : `{${values.map((v) => JSON.stringify(v)).join(", ")}}`);

function freeName(text: string, wanted: string): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}_${n}`;
    if (!new RegExp(`^${name}\\b`, "m").test(text)) return name;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The name of a test for a decision: what it decided and a part of its id. */
export function testName(action: string, effect: string, id: string): string {
  return [action, effect, id.replaceAll(/[^0-9a-zA-Z]/g, "").slice(0, 8)].filter((part) => part !== "").join("_").toLowerCase();
}
