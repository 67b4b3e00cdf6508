import { StreamLanguage, indentService, type StreamParser, type StringStream } from "@codemirror/language";

/** Words of the language. */
export const KEYWORDS = ["package", "import", "as", "default", "if", "else", "contains", "some", "every", "in", "not", "with"] as const;
const CONSTANTS = new Set(["true", "false", "null"]);
const words = new Set<string>(KEYWORDS);

interface State {
  /** Within a raw string, which may span lines. */
  raw: boolean;
  /** The last word was package or import, so that a path follows. */
  path: boolean;
}

/** Rego as it is coloured: comments, strings, numbers, words, what is called, and input and data. What it means, the service says. */
const parser: StreamParser<State> = {
  name: "rego",
  startState: () => ({ raw: false, path: false }),
  token: (stream, state) => {
    if (state.raw) return rawString(stream, state);
    if (stream.sol()) state.path = false;
    if (stream.eatSpace()) return null;
    if (stream.match(/^# METADATA\s*$/)) return "meta";
    if (stream.match(/^#.*/)) return "comment";
    if (stream.match(/^\$?"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^\$?`/)) return rawString(stream, state);
    if (stream.match(/^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/)) return "number";
    if (stream.match(/^[A-Za-z_]\w*/)) return word(stream, state);
    if (stream.match(/^(?::=|==|!=|<=|>=|[-+*/%&|<>=])/)) return "operator";
    if (stream.match(/^[[\]{}()]/)) return "bracket";
    stream.next();
    return null;
  },
  languageData: {
    commentTokens: { line: "#" },
    closeBrackets: { brackets: ["(", "[", "{", '"', "`"] },
    indentOnInput: /^\s*[}\])]$/,
  },
};

function rawString(stream: StringStream, state: State): string {
  state.raw = !stream.skipTo("`");
  if (state.raw) stream.skipToEnd();
  else stream.next();
  return "string";
}

function word(stream: StringStream, state: State): string {
  const text = stream.current();
  const after = stream.string.charAt(stream.pos);
  const before = stream.string.charAt(stream.start - 1);
  if (before === ".") return after === "(" ? "variableName.function" : "property";
  if (words.has(text) && !state.path) {
    state.path = text === "package" || text === "import";
    return "keyword";
  }
  if (text === "as") return "keyword";
  if (state.path) return "namespace";
  if (CONSTANTS.has(text)) return "atom";
  if (text === "input" || text === "data") return "variableName.special";
  return after === "(" || /^\.\w+\(/.test(stream.string.slice(stream.pos)) ? "variableName.function" : "variableName";
}

/** A line that follows an opened bracket goes one step in, one that begins with a closing bracket one step back. */
const indent = indentService.of((context, pos) => {
  const line = context.lineAt(pos, -1);
  const steps = (/[[{(]\s*$/.test(line.text) ? 1 : 0) - (/^\s*[\]})]/.test(context.textAfterPos(pos)) ? 1 : 0);
  return Math.max(0, context.lineIndent(line.from) + steps * context.unit);
});

export const rego = [StreamLanguage.define(parser), indent];
