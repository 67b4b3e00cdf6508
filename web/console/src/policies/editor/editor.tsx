import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, dropCursor, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import type { Diagnostic, PolicyReference } from "../../api/policies";
import { policyTexts } from "../../texts/policies";
import { help } from "./complete";
import { look } from "./look";
import { type LinesOf, marking, positionOf, showCoverage, showProblems } from "./marks";
import { rego } from "./rego";

/** A line to go to; a new object goes there again. */
export interface Target {
  line: number;
  column?: number;
}

export interface EditorProps {
  path: string;
  text: string;
  readOnly: boolean;
  problems: readonly Diagnostic[];
  coverage: LinesOf | undefined;
  reference: PolicyReference | undefined;
  target: Target | undefined;
  change: (path: string, text: string) => void;
  /** What is selected, "" for nothing. */
  select: (text: string) => void;
  format: () => void;
  next: () => void;
  save: () => void;
}

/** Changes that came from outside and are not handed back. */
const given = Annotation.define<boolean>();

/**
 * CodeMirror in a shadow tree: there its styles are adopted style sheets, in the document they would be style elements, which the page's policy refuses.
 * Each file keeps its own history of undoing.
 */
export default function Editor(props: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const now = useRef(props);
  now.current = props;
  const made = useRef<Made>(undefined);
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    const frame = document.createElement("div");
    frame.style.height = "100%";
    root.replaceChildren(frame);
    made.current = new Made(root, frame, now);
    return () => {
      made.current?.view.destroy();
      made.current = undefined;
    };
  }, []);
  const { path, text, readOnly, problems, coverage, reference, target } = props;
  useEffect(() => made.current?.open(path, text, readOnly), [path, text, readOnly]);
  useEffect(() => made.current?.explain(reference), [reference, path, readOnly]);
  useEffect(() => made.current?.view.dispatch(showProblems(made.current.view.state, problems)), [problems, path, readOnly]);
  useEffect(() => made.current?.view.dispatch(showCoverage(coverage)), [coverage, path, readOnly]);
  useEffect(() => {
    if (target) made.current?.go(target);
  }, [target, path]);
  return <div ref={host} className="editor-host" />;
}

/**
 * Typing over what is selected: left to the browser, it would keep the look of what goes by a style attribute, which the page's policy refuses and reports.
 */
const typeOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { from, to, empty } = view.state.selection.main;
    const text = event.data;
    if (event.inputType !== "insertText" || text === null || empty || view.composing || view.state.readOnly || view.state.selection.ranges.length > 1) return false;
    const insert = () => view.state.update({ ...view.state.replaceSelection(text), userEvent: "input.type", scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
    return true;
  },
});

/** The editor's view, and the states of the files that were opened in it. */
class Made {
  readonly view: EditorView;
  private readonly states = new Map<string, EditorState>();
  private readonly helped = new Compartment();
  private opened = "";
  private readOnly = false;
  /** Texts that were typed here and have not come back yet, the oldest first: typing goes on while they are on their way. */
  private typed: string[] = [];

  constructor(root: ShadowRoot, parent: HTMLElement, private readonly now: { current: EditorProps }) {
    this.view = new EditorView({ root, parent, state: EditorState.create() });
  }

  open(path: string, text: string, readOnly: boolean): void {
    if (path !== this.opened || readOnly !== this.readOnly) {
      if (this.opened !== "" && readOnly === this.readOnly) this.states.set(this.opened, this.view.state);
      if (readOnly !== this.readOnly) this.states.clear();
      this.view.setState(this.states.get(path) ?? EditorState.create({ doc: text, extensions: this.extensions(path, readOnly) }));
      this.opened = path;
      this.readOnly = readOnly;
      this.typed = [];
    }
    const known = this.typed.lastIndexOf(text);
    if (known >= 0) this.typed = this.typed.slice(known);
    else this.replace(text);
  }

  explain(reference: PolicyReference | undefined): void {
    this.view.dispatch({ effects: this.helped.reconfigure(reference ? help(reference) : []) });
  }

  go({ line, column = 1 }: Target): void {
    const anchor = positionOf(this.view.state.doc, line, column);
    this.view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
    this.view.focus();
  }

  /** Takes a text from outside, changing only what differs, so that the cursor stays where it is. */
  private replace(text: string): void {
    this.typed = [];
    const before = this.view.state.doc.toString();
    if (before === text) return;
    let from = 0;
    while (from < before.length && from < text.length && before[from] === text[from]) from++;
    let end = 0;
    while (end < before.length - from && end < text.length - from && before[before.length - 1 - end] === text[text.length - 1 - end]) end++;
    this.view.dispatch({ changes: { from, to: before.length - end, insert: text.slice(from, text.length - end) }, annotations: given.of(true) });
  }

  private extensions(path: string, readOnly: boolean): Extension[] {
    return [
      look,
      marking,
      typeOver,
      lineNumbers(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      history(),
      drawSelection(),
      dropCursor(),
      bracketMatching(),
      indentOnInput(),
      indentUnit.of("\t"),
      EditorState.tabSize.of(4),
      closeBrackets(),
      search({ top: true }),
      highlightSelectionMatches(),
      path.endsWith(".rego") ? rego : [],
      this.helped.of([]),
      EditorState.readOnly.of(readOnly),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": policyTexts.editorLabel(path), tabindex: "0", ...(readOnly && { "aria-readonly": "true" }) }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && !update.transactions.some((t) => t.annotation(given))) {
          const text = update.state.doc.toString();
          this.typed.push(text);
          this.now.current.change(path, text);
        }
        if (update.selectionSet || update.docChanged) {
          const { from, to } = update.state.selection.main;
          this.now.current.select(update.state.sliceDoc(from, to));
        }
      }),
      keymap.of([
        { key: "Shift-Alt-f", run: () => (this.now.current.format(), true) },
        { key: "Mod-Enter", run: () => (this.now.current.next(), true) },
        { key: "Mod-s", run: () => (this.now.current.save(), true) },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...lintKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...defaultKeymap,
        indentWithTab,
      ]),
    ];
  }
}
