import { Button } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { type Site, putSites, sitesQuery } from "../api/sites";
import { useHas } from "../api/session";
import { Panel } from "../parts/screen";
import { Empty, Loaded, Trouble } from "../parts/states";
import { type Column, DataTable } from "../parts/table";
import { commonTexts } from "../texts/common";
import { meetingTexts } from "../texts/meetings";

const texts = meetingTexts.settings.sites;

const columns: Column<Site>[] = [
  { id: "subnet", header: texts.columns.subnet, value: (s) => s.subnet, cell: (s) => <code>{s.subnet}</code> },
  { id: "site", header: texts.columns.site, value: (s) => s.site, wide: true },
  { id: "building", header: texts.columns.building, value: (s) => s.building },
];

/** Which subnet is which site. */
export function Sites() {
  const mayChange = useHas("admin");
  const sites = useQuery(sitesQuery);
  const file = useRef<HTMLInputElement>(null);
  const queries = useQueryClient();
  const upload = useMutation({ mutationFn: async (chosen: File) => putSites(await chosen.text()), onSuccess: () => queries.invalidateQueries({ queryKey: sitesQuery.queryKey }) });
  return (
    <div className="stack">
      <p className="quiet">{texts.text}</p>
      {mayChange && (
        <Panel title={texts.upload}>
          <div className="stack tight">
            <p className="quiet">{texts.hint}</p>
            <pre className="raw-json">{texts.example}</pre>
            <div className="row">
              <input ref={file} type="file" accept=".csv,text/csv" hidden onChange={(e) => { const chosen = e.currentTarget.files?.[0]; if (chosen) upload.mutate(chosen); e.currentTarget.value = ""; }} />
              <Button leftSection={<IconUpload size={16} stroke={1.75} />} onClick={() => file.current?.click()} loading={upload.isPending}>{texts.upload}</Button>
              {upload.isSuccess && <span role="status" className="quiet">{commonTexts.saved}</span>}
            </div>
            {upload.error && <Trouble error={upload.error} wrote />}
          </div>
        </Panel>
      )}
      <Loaded query={sites}>{(rows) => <DataTable<Site> label={meetingTexts.settings.tabs["sites"] ?? ""} columns={columns} rows={rows} rowId={(s) => s.subnet} empty={<Empty title={texts.none}>{texts.noneText}</Empty>} />}</Loaded>
    </div>
  );
}
