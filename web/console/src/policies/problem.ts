/**
 * A compiler's message in words. It repeats the text of its place and points into it by spaces, which says nothing under the line itself, and wrong things in another
 * font: that is left out, and what it found and wanted stays.
 */
export function inWords(message: string): string {
  const lines = message.split("\n");
  return lines
    .filter((line, i) => !/^\s*\^+\s*$/.test(line) && !/^\s*\^+\s*$/.test(lines[i + 1] ?? ""))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");
}
