// Real Chromium as a policy author: a draft that shortens how long copies are kept is replayed over what is kept, and the number that goes at once is agreed to.
//   ANTEROOM_BIN=… ANTEROOM_SCREENSHOTS=folder node --test web/test/policy-kept.test.mjs
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { CHROMIUM, launch, missing, screenshot } from "./browser.mjs";
import { assertNothingSerious, consoleWindow, signIn } from "./console.mjs";
import { Service, noService } from "./service.mjs";

const files = (days) => ({
  "keep.rego": `package anteroom.organization.retention

# METADATA
# title: Copies for some days
# custom:
#   rule: ACME5
#   reason: acme_days
#   days: ${days}
shorten.copy contains rego.metadata.rule().custom if count(input.kept.policies) >= 0
`,
  "keep_test.rego": `package anteroom.organization_test

import data.anteroom.organization.retention

test_days if {
	some wish in retention.shorten.copy with input as {"kept": {"resource": "x", "policies": []}}
	wish.days == ${days}
}
`,
});

describe("How long chat is kept, for a policy author", { skip: missing(CHROMIUM) || noService() }, () => {
  let service;
  let browser;

  before(async () => {
    service = await Service.start();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  /** Has guests of another region hold copies that were sent some days ago. */
  async function copies(days, n) {
    const folder = path.join(service.data, "clickhouse");
    const [, port] = /<http_port>(\d+)<\/http_port>/.exec(readFileSync(path.join(folder, "config.xml"), "utf8"));
    const headers = { "X-ClickHouse-User": "anteroom", "X-ClickHouse-Key": readFileSync(path.join(folder, "password"), "utf8").trim() };
    const sql = async (body) => {
      const answer = await fetch(`http://127.0.0.1:${port}/?database=anteroom_amer`, { method: "POST", headers, body });
      assert.equal(answer.status, 200, await answer.text());
    };
    const meeting = randomUUID();
    // The head is of the very same moment: a later one would be of a newer message, and the copy superseded.
    const sent = `fromUnixTimestamp64Micro(${(Date.now() - days * 86_400_000) * 1000}, 'UTC')`;
    for (let i = 0; i < n; i++) {
      const [item, holder] = [randomUUID(), randomUUID()];
      await sql(`INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at)
        VALUES ('copy', 'contoso', '${meeting}', 'call', '${item}', '${holder}', '22222222-0000-8000-8000-000000000001', ${sent})`);
      await sql(`INSERT INTO copy_heads (org, meeting_id, call_id, holder_id, message_id, sent_at)
        VALUES ('contoso', '${meeting}', 'call', '${holder}', '${item}', ${sent})`);
    }
  }

  async function opened(t, options = {}) {
    const { path: address, ...rest } = options;
    const window = await consoleWindow(browser, service, rest);
    t.after(async () => {
      await window.context.close();
      assert.deepEqual(window.errors, []);
    });
    await signIn(window.page, service, { user: "pat", roles: ["policy_author"], path: address });
    return window.page;
  }

  const next = (page, word) => page.locator(".policy-bar").getByRole("button", { name: word, exact: true });
  const newDraft = async (days) => {
    const { status, body } = await service.api("policy_author", "POST", "/v1/policies/contoso/drafts", { title: `${days} days`, based_on: 0, files: files(days) });
    assert.equal(status, 201, JSON.stringify(body));
    return `/console/policies?draft=${body.id}`;
  };

  test("A draft is replayed over what is kept, and activated once the number that goes at once is agreed to", async (t) => {
    const draft = await newDraft(7);
    const page = await opened(t, { path: `${draft}&pane=replay` });
    await t.test("Nothing is stored: that is said", async () => {
      await page.getByRole("button", { name: "Replay", exact: true }).last().click();
      await page.getByText("No copies are stored").waitFor({ timeout: 60_000 });
      await screenshot(page, "90-kept-empty");
      await assertNothingSerious(page, "an empty replay");
    });
    await copies(10, 3);
    await copies(2, 4);
    await t.test("What goes at once stands first, then what goes earlier, by rule", async () => {
      await page.getByRole("button", { name: "Replay", exact: true }).last().click();
      await page.getByText("3 would be deleted at once.").waitFor({ timeout: 60_000 });
      await page.getByText("Of 7 things that are kept, 7 would be deleted earlier and 0 later.").waitFor();
      await page.getByText("30 days → 7 days").first().waitFor();
      await screenshot(page, "91-kept-replay");
      await assertNothingSerious(page, "a replay of what is kept");
    });
    await t.test("Whoever activates agrees to the number", async () => {
      await next(page, "Test").click();
      await page.getByText("1 test passed").waitFor();
      await next(page, "Activate").click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("What changes and why").fill("A week is enough");
      const activate = dialog.getByRole("button", { name: "Activate" });
      assert.equal(await activate.isDisabled(), true);
      await screenshot(page, "92-kept-activate");
      await assertNothingSerious(page, "activating what deletes at once");
      await dialog.getByLabel(/^I know that 3 things are deleted at once/).check();
      await activate.click();
      await page.getByText("Revision 1 is active.").first().waitFor();
    });
  });
});
