import { type Completion, type CompletionContext, type CompletionResult, autocompletion } from "@codemirror/autocomplete";
import type { EditorState, Extension } from "@codemirror/state";
import { hoverTooltip } from "@codemirror/view";
import type { PolicyReference } from "../../api/policies";
import { KEYWORDS } from "./rego";

type Documented = { name: string; signature: string; text: string };

/** What there is to say about words of a policy, by the word. */
class Dictionary {
  readonly words = new Map<string, Documented>();
  readonly inputs: Completion[];
  readonly names: Completion[];
  readonly texts: Completion[];

  constructor(reference: PolicyReference) {
    const add = (name: string, signature: string, text: string): (() => Node) => {
      const doc = { name, signature, text };
      this.words.set(name, doc);
      return () => docOf(doc);
    };
    this.inputs = reference.input.map(({ path, type, enum: values, description }) => {
      const name = path.startsWith("input") ? path : `input.${path}`;
      const said = [description, values && values.length > 0 ? `One of: ${values.map((v) => JSON.stringify(v)).join(", ")}` : ""].filter((part) => part !== "").join("\n");
      return { label: name, type: "property", detail: type, info: add(name, `${name}: ${type}`, said) };
    });
    const builtins = reference.builtins.map(({ name, signature, description }) => ({ label: name, type: "function", info: add(name, signature, description) }));
    this.names = [...KEYWORDS.map((label): Completion => ({ label, type: "keyword" })), ...builtins, { label: "rego.metadata.rule()", type: "function" }, { label: "data.organization", type: "variable" }];
    this.texts = [
      ...reference.capabilities.map(({ name, description }) => ({ label: name, type: "constant", detail: "capability", info: add(name, name, description) })),
      ...reference.reasons.map(({ reason, rule, title }) => ({ label: reason, type: "text", detail: rule, info: add(reason, `${reason} (${rule})`, title) })),
    ];
    for (const { enum: values, path } of reference.input) for (const value of values ?? []) if (value !== "") this.texts.push({ label: value, type: "enum", detail: path.replace(/^input\./, "") });
  }
}

function docOf({ signature, text }: Documented): Node {
  const box = document.createElement("div");
  box.className = "cm-doc";
  if (signature !== "") {
    const head = document.createElement("code");
    head.textContent = signature;
    box.append(head);
  }
  box.append(text);
  return box;
}

/** Rules and functions that a module has, to be named elsewhere in it. */
function ownNames(state: EditorState): Completion[] {
  const found = new Set<string>();
  for (const [, name = ""] of state.doc.toString().matchAll(/^(?:default )?([A-Za-z_]\w*)/gm)) if (!(KEYWORDS as readonly string[]).includes(name)) found.add(name);
  return [...found].map((label) => ({ label, type: "variable", detail: "of this file" }));
}

function complete(words: Dictionary, context: CompletionContext): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (/^\s*#/.test(before)) return null;
  const quoted = (before.match(/(?<!\\)"/g) ?? []).length % 2 === 1;
  if (quoted) {
    const from = context.matchBefore(/\w*/)?.from ?? context.pos;
    return { from, options: words.texts, validFor: /^\w*$/ };
  }
  // A rule per capability is named like a field.
  const rule = context.matchBefore(/\b(?:withhold)\.\w*/);
  if (rule) return { from: rule.from + "withhold.".length, options: words.texts.filter((t) => t.type === "constant"), validFor: /^\w*$/ };
  const path = context.matchBefore(/[A-Za-z_][\w.]*/);
  if (!path && !context.explicit) return null;
  return { from: path?.from ?? context.pos, options: [...words.inputs, ...words.names, ...ownNames(context.state)], validFor: /^[\w.]*$/ };
}

/** The word at a place, with the dots before and after it up to there. */
function wordAt(state: EditorState, pos: number): { from: number; to: number; text: string } | undefined {
  const line = state.doc.lineAt(pos);
  const at = pos - line.from;
  for (const found of line.text.matchAll(/[A-Za-z_][\w.]*/g)) {
    const end = found.index + found[0].length;
    if (found.index > at || end < at) continue;
    // Up to the end of the part that the pointer is on.
    const part = /^\w*/.exec(line.text.slice(at))?.[0].length ?? 0;
    return { from: line.from + found.index, to: line.from + at + part, text: line.text.slice(found.index, at + part) };
  }
  return undefined;
}

/** Completion and explanation of words, by what the service says there is. */
export function help(reference: PolicyReference): Extension {
  const words = new Dictionary(reference);
  return [
    autocompletion({ override: [(context) => complete(words, context)], icons: false, maxRenderedOptions: 200 }),
    hoverTooltip((view, pos) => {
      const word = wordAt(view.state, pos);
      const doc = word && words.words.get(word.text);
      return word && doc ? { pos: word.from, end: word.to, above: true, create: () => ({ dom: docOf(doc) as HTMLElement }) } : null;
    }),
  ];
}
