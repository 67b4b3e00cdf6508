/** Tables as files. */

export type Cell = string | number | boolean | null | undefined;

/** Hands a file to the browser. */
export function save(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** CSV as RFC 4180 has it. A text that a spreadsheet would take for a formula is kept from being one by an apostrophe. */
export function csv(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]): string => cells.map(cell).join(",");
  return `${[line(head), ...rows.map(line)].join("\r\n")}\r\n`;
}

function cell(value: Cell): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** A file's name of words and today's date. */
export function fileName(what: string, ending: string): string {
  return `anteroom-${what}-${new Date().toISOString().slice(0, 10)}.${ending}`;
}
