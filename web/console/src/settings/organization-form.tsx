import { Button, Select, Switch, TextInput, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { body, client } from "../api/client";
import { type Organization, organizationQuery } from "../api/organizations";
import { useHas } from "../api/session";
import { Panel } from "../parts/screen";
import { Trouble } from "../parts/states";
import { commonTexts } from "../texts/common";
import { meetingTexts } from "../texts/meetings";

const texts = meetingTexts.settings;
type Settings = Organization["settings"];

/** The organisation's settings about guests. They reach running meetings within a second. */
export function OrganizationForm({ organization, etag }: { organization: Organization; etag: string }) {
  const readOnly = !useHas("admin");
  const [name, setName] = useState(organization.name);
  const [settings, setSettings] = useState<Settings>(organization.settings);
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () => body(client.PATCH("/v1/organizations/{id}", { params: { path: { id: organization.id }, header: { "If-Match": etag } }, body: { name: name.trim(), settings } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: organizationQuery(organization.id).queryKey }),
  });
  const set = (parts: Partial<Settings>): void => {
    save.reset();
    setSettings({ ...settings, ...parts });
  };
  return (
    <div className="columns">
      <Panel title={texts.guests}>
        <form className="form" onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
          <fieldset disabled={readOnly} className="stack plain">
            <TextInput label={texts.name} value={name} onChange={(e) => setName(e.currentTarget.value)} required maxLength={256} />
            <Switch label={texts.anonymous} description={texts.anonymousText} checked={settings.anonymous_join ?? true} onChange={(e) => set({ anonymous_join: e.currentTarget.checked })} />
            <Select
              label={texts.bypass}
              data={Object.entries(meetingTexts.bypass).filter(([value]) => value !== "").map(([value, label]) => ({ value, label }))}
              value={settings.lobby_bypass ?? "org_users"}
              onChange={(value) => set({ lobby_bypass: value as NonNullable<Settings["lobby_bypass"]> })}
              disabled={readOnly}
            />
            <Switch label={texts.webinar} checked={settings.enforce_webinar_roles ?? false} onChange={(e) => set({ enforce_webinar_roles: e.currentTarget.checked })} />
            <Switch label={texts.consent} checked={settings.require_consent ?? false} onChange={(e) => set({ require_consent: e.currentTarget.checked })} />
            <Textarea
              label={texts.withdrawn}
              description={texts.withdrawnHint}
              defaultValue={(settings.withdrawn_capabilities ?? []).join("\n")}
              onChange={(e) => set({ withdrawn_capabilities: e.currentTarget.value.split("\n").map((line) => line.trim()).filter((line) => line !== "") })}
              rows={3}
            />
          </fieldset>
          {save.error && <Trouble error={save.error} wrote />}
          {readOnly ? (
            <p className="quiet small">{texts.readOnly}</p>
          ) : (
            <div className="row">
              <Button type="submit" variant="filled" loading={save.isPending}>{texts.save}</Button>
              {save.isSuccess && <span role="status" className="quiet">{commonTexts.saved}</span>}
            </div>
          )}
        </form>
      </Panel>
      <Panel title={texts.tabs["organization"]}>
        <dl className="facts">
          <dt>{texts.id}</dt>
          <dd><code>{organization.id}</code></dd>
          <dt>{texts.kind}</dt>
          <dd>{organization.kind}</dd>
          <dt>{texts.region}</dt>
          <dd>{organization.region}<br /><span className="quiet small">{texts.regionHint}</span></dd>
          <dt>{texts.issuer}</dt>
          <dd>{organization.issuer ? <code>{organization.issuer.url}</code> : texts.issuerNone}</dd>
        </dl>
      </Panel>
    </div>
  );
}
