/** A selection as a query: a rule of the file that is named alone is found where it is, in the file's package. */
export function qualified(selection: string, file: string): string {
  const text = selection.trim();
  const path = /^([A-Za-z_]\w*)((?:\.\w+|\[[^\]]*\])*)$/.exec(text);
  const name = path?.[1];
  if (name === undefined || name === "input" || name === "data") return text;
  const of = /^package\s+([\w.]+)/m.exec(file)?.[1];
  const rule = new RegExp(`^(?:default\\s+)?${name}\\b`, "m");
  if (of !== undefined && rule.test(file)) return `data.${of}.${text}`;
  const imported = new RegExp(`^import\\s+((?:data|input)\\.[\\w.]*?\\b${name}|(?:data|input)\\.[\\w.]+(?=\\s+as\\s+${name}\\b))`, "m").exec(file)?.[1];
  return imported === undefined ? text : `${imported}${path?.[2] ?? ""}`;
}
