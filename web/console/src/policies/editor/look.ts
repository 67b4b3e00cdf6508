import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** The editor in the console's own colours, light and dark alike: tokens are inherited into the shadow tree that it lives in. */
const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--page)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-cursorLayer .cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--accent-soft)" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-gutters": { backgroundColor: "var(--raised)", color: "var(--quiet)", borderRight: "1px solid var(--border)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 12px" },
  ".cm-coverage": { width: "10px" },
  ".cm-coverage .cm-gutterElement": { padding: "0 2px" },
  ".cm-covered, .cm-missed, .cm-evaluated": { display: "block", height: "100%", width: "6px", boxSizing: "border-box" },
  ".cm-covered": { background: "var(--good-mark)" },
  ".cm-evaluated": { background: "var(--accent)" },
  ".cm-missed": { background: "repeating-linear-gradient(45deg, var(--poor-mark) 0 3px, var(--poor-soft) 3px 6px)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--control-border)" },
  ".cm-nonmatchingBracket, &.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--poor-soft)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--poor-mark)", textUnderlineOffset: "3px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--due-mark)", textUnderlineOffset: "3px" },
  ".cm-problem": { padding: "2px 12px 2px 8px", margin: "0 0 2px", borderLeft: "3px solid var(--poor-mark)", background: "var(--poor-soft)", color: "var(--text)", fontFamily: "var(--font)", fontSize: "12px", whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
  ".cm-problem.warning": { borderLeftColor: "var(--due-mark)", background: "var(--due-soft)" },
  ".cm-tooltip": { border: "1px solid var(--control-border)", borderRadius: "6px", backgroundColor: "var(--page)", color: "var(--text)", boxShadow: "var(--mantine-shadow-md)", fontFamily: "var(--font)", fontSize: "13px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "240px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--selected)", color: "var(--text)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-tooltip.cm-completionInfo, .cm-doc": { padding: "8px 12px", maxWidth: "360px", whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
  ".cm-doc code, .cm-completionInfo code": { display: "block", marginBottom: "4px", fontFamily: "var(--mono)", fontSize: "12px" },
  ".cm-diagnostic": { borderLeftWidth: "3px", padding: "6px 10px" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)", borderColor: "var(--border)", fontFamily: "var(--font)" },
  ".cm-panel.cm-search": { padding: "8px" },
  ".cm-panel.cm-search input, .cm-panel.cm-search button": { fontFamily: "var(--font)", fontSize: "12px" },
  ".cm-panel.cm-search label": { fontSize: "12px" },
  ".cm-panel.cm-search [name=close]": { color: "var(--text)" },
  ".cm-textfield": { backgroundColor: "var(--page)", color: "var(--text)", border: "1px solid var(--control-border)", borderRadius: "4px" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--page)", color: "var(--text)", border: "1px solid var(--control-border)", borderRadius: "4px" },
  ".cm-searchMatch": { backgroundColor: "var(--due-soft)", outline: "1px solid var(--due-mark)" },
  ".cm-selectionMatch": { backgroundColor: "var(--sunken)" },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: tags.meta, color: "var(--quiet)", fontWeight: "600" },
  { tag: tags.keyword, color: "var(--s4)", fontWeight: "600" },
  { tag: tags.string, color: "var(--s3)" },
  { tag: [tags.number, tags.atom, tags.bool, tags.null], color: "var(--s2)" },
  { tag: tags.function(tags.variableName), color: "var(--s1)" },
  { tag: tags.special(tags.variableName), color: "var(--s6)", fontWeight: "600" },
  { tag: tags.namespace, color: "var(--s6)" },
  { tag: tags.propertyName, color: "var(--text)" },
  { tag: tags.operator, color: "var(--s5)" },
]);

export const look = [theme, syntaxHighlighting(colours)];
