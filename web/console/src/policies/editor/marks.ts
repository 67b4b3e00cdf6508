import { type Diagnostic as Mark, setDiagnostics } from "@codemirror/lint";
import { type EditorState, type Extension, RangeSet, RangeSetBuilder, StateEffect, StateField, type Text, type Transaction } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, GutterMarker, WidgetType, gutter } from "@codemirror/view";
import type { Diagnostic, FileCoverage, Ranges } from "../../api/policies";
import { policyTexts } from "../../texts/policies";
import { inWords } from "../problem";

/** Where a place of the service's (lines and columns from 1, columns in bytes or characters) is in a text; places beyond its end are its end. */
export function positionOf(doc: Text, line: number, column: number): number {
  const found = doc.line(Math.min(Math.max(1, line), doc.lines));
  return Math.min(found.to, found.from + Math.max(0, column - 1));
}

function markOf(doc: Text, d: Diagnostic): Mark {
  const from = positionOf(doc, d.line, d.column);
  const end = d.end_line > 0 ? positionOf(doc, d.end_line, d.end_column) : from;
  const line = doc.lineAt(from);
  // What has no length is shown at the word that is there, or at the whole line.
  const word = /^[\w.]+/.exec(doc.sliceString(from, line.to))?.[0].length ?? 0;
  const to = Math.max(end, from + word);
  return to > from ? { from, to, severity: d.severity, message: inWords(d.message) } : { from: line.from, to: line.to, severity: d.severity, message: inWords(d.message) };
}

/** The problem in words, under its line. */
class ProblemLine extends WidgetType {
  constructor(readonly severity: Diagnostic["severity"], readonly message: string) {
    super();
  }
  override eq(other: ProblemLine): boolean {
    return other.severity === this.severity && other.message === this.message;
  }
  toDOM(): HTMLElement {
    const box = document.createElement("div");
    box.className = `cm-problem ${this.severity}`;
    box.setAttribute("role", "note");
    box.textContent = inWords(this.message);
    return box;
  }
}

const setProblems = StateEffect.define<readonly Diagnostic[]>();
const problems = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (lines, change) => {
    let next = lines.map(change.changes);
    for (const effect of change.effects) if (effect.is(setProblems)) next = problemLines(change.state.doc, effect.value);
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function problemLines(doc: Text, list: readonly Diagnostic[]): DecorationSet {
  return Decoration.set(
    list.map((d) => Decoration.widget({ widget: new ProblemLine(d.severity, d.message), block: true, side: 1 }).range(doc.lineAt(positionOf(doc, d.line, d.column)).to)),
    true,
  );
}

/** Underlines problems and says them under their lines. */
export function showProblems(state: EditorState, list: readonly Diagnostic[]): { effects: StateEffect<unknown>[] } {
  const marked = setDiagnostics(state, list.map((d) => markOf(state.doc, d)));
  return { effects: [...effectsOf(marked.effects), setProblems.of(list)] };
}

const effectsOf = (effects: unknown): StateEffect<unknown>[] => (Array.isArray(effects) ? effects : effects ? [effects as StateEffect<unknown>] : []);

/** Lines of a file that are marked: those that tests covered or missed, or those that one decision was made by. */
export type LinesOf = { by: "tests"; of: FileCoverage } | { by: "decision"; of: Ranges };

const KINDS = ["covered", "missed", "evaluated"] as const;
type Kind = (typeof KINDS)[number];

class LineMark extends GutterMarker {
  constructor(readonly kind: Kind) {
    super();
  }
  override eq(other: LineMark): boolean {
    return other.kind === this.kind;
  }
  override toDOM(): HTMLElement {
    const mark = document.createElement("span");
    mark.className = `cm-${this.kind}`;
    mark.title = policyTexts.lineMarks[this.kind];
    return mark;
  }
}
const marks: Record<Kind, LineMark> = { covered: new LineMark("covered"), missed: new LineMark("missed"), evaluated: new LineMark("evaluated") };

const setCoverage = StateEffect.define<LinesOf | undefined>();
const coverage = StateField.define<RangeSet<GutterMarker>>({
  create: () => RangeSet.empty,
  update: (set, change) => {
    let next = keep(set, change);
    for (const effect of change.effects) if (effect.is(setCoverage)) next = coverageMarks(change.state.doc, effect.value);
    return next;
  },
});

/** Marks stay with their lines while these only move; whoever types in a covered line makes the mark go. */
const keep = (set: RangeSet<GutterMarker>, change: Transaction): RangeSet<GutterMarker> => (change.docChanged ? set.map(change.changes) : set);

function coverageMarks(doc: Text, shown: LinesOf | undefined): RangeSet<GutterMarker> {
  const lines = new Map<number, GutterMarker>();
  const mark = (ranges: Ranges, kind: Kind): void => {
    for (const [from = 0, to = 0] of ranges) for (let n = from; n <= Math.min(to, doc.lines); n++) lines.set(n, marks[kind]);
  };
  if (shown?.by === "decision") mark(shown.of, "evaluated");
  if (shown?.by === "tests") {
    mark(shown.of.covered, "covered");
    mark(shown.of.not_covered, "missed");
  }
  const builder = new RangeSetBuilder<GutterMarker>();
  for (const n of [...lines.keys()].sort((a, b) => a - b)) {
    const mark = lines.get(n);
    if (mark && n >= 1) builder.add(doc.line(n).from, doc.line(n).from, mark);
  }
  return builder.finish();
}

/** Shows which lines the last tests covered, or one decision was made by; undefined: nothing is known. */
export const showCoverage = (of: LinesOf | undefined): { effects: StateEffect<unknown>[] } => ({ effects: [setCoverage.of(of)] });

export const marking: Extension = [problems, coverage, gutter({ class: "cm-coverage", markers: (view) => view.state.field(coverage) })];
