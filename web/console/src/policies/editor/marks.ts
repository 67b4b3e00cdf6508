import { type Diagnostic as Mark, setDiagnostics } from "@codemirror/lint";
import { type EditorState, type Extension, RangeSet, RangeSetBuilder, StateEffect, StateField, type Text, type Transaction } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, GutterMarker, WidgetType, gutter } from "@codemirror/view";
import type { Diagnostic, FileCoverage } from "../../api/policies";

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
  return to > from ? { from, to, severity: d.severity, message: d.message } : { from: line.from, to: line.to, severity: d.severity, message: d.message };
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
    box.textContent = this.message;
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

class CoverageMark extends GutterMarker {
  constructor(readonly covered: boolean) {
    super();
  }
  override eq(other: CoverageMark): boolean {
    return other.covered === this.covered;
  }
  override toDOM(): HTMLElement {
    const mark = document.createElement("span");
    mark.className = this.covered ? "cm-covered" : "cm-missed";
    mark.title = this.covered ? "covered by the tests" : "not covered by a test";
    return mark;
  }
}
const marks = { covered: new CoverageMark(true), missed: new CoverageMark(false) };

const setCoverage = StateEffect.define<FileCoverage | undefined>();
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

function coverageMarks(doc: Text, of: FileCoverage | undefined): RangeSet<GutterMarker> {
  const lines = new Map<number, GutterMarker>();
  for (const [from = 0, to = 0] of of?.covered ?? []) for (let n = from; n <= Math.min(to, doc.lines); n++) lines.set(n, marks.covered);
  for (const [from = 0, to = 0] of of?.not_covered ?? []) for (let n = from; n <= Math.min(to, doc.lines); n++) lines.set(n, marks.missed);
  const builder = new RangeSetBuilder<GutterMarker>();
  for (const n of [...lines.keys()].sort((a, b) => a - b)) {
    const mark = lines.get(n);
    if (mark && n >= 1) builder.add(doc.line(n).from, doc.line(n).from, mark);
  }
  return builder.finish();
}

/** Shows which lines the last tests covered; undefined: nothing is known. */
export const showCoverage = (of: FileCoverage | undefined): { effects: StateEffect<unknown>[] } => ({ effects: [setCoverage.of(of)] });

export const marking: Extension = [problems, coverage, gutter({ class: "cm-coverage", markers: (view) => view.state.field(coverage) })];
