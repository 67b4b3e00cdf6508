import { queryOptions } from "@tanstack/react-query";
import { Problem, ask } from "./client";

export interface Site {
  subnet: string;
  site: string;
  building: string;
}

/** Which subnet is which site, as the CSV that was uploaded. */
export const sitesQuery = queryOptions({
  queryKey: ["sites"],
  retry: false,
  queryFn: async (): Promise<Site[]> => {
    const response = await fetch("/v1/sites", { headers: { Accept: "text/csv" } });
    if (!response.ok) {
      const said = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; request_id?: string };
      throw new Problem(response.status, said.code ?? "unknown", said.detail ?? "", said.request_id);
    }
    return parse(await response.text());
  },
});

export const putSites = (csv: string): Promise<unknown> => ask("/v1/sites", { method: "PUT", headers: { "Content-Type": "text/csv" }, body: csv });

/** Rows of a CSV as the service writes it, by RFC 4180. */
function parse(text: string): Site[] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ",") rows.push([]);
  }
  return rows.slice(1).flatMap(([subnet = "", site = "", building = ""]) => (subnet === "" ? [] : [{ subnet, site, building }]));
}
