// Policies by hands that aren't careful: two tabs on one draft, the keyboard alone, names that would be markup or SQL, another browser.
//   ANTEROOM_BIN=… ANTEROOM_SCREENSHOTS=folder node --test web/test/policy-hands.test.mjs
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import puppeteer from "puppeteer-core";
import { CHROMIUM, launch, missing, screenshot } from "./browser.mjs";
import { assertNothingSerious, consoleWindow, settled, signIn, until } from "./console.mjs";
import { Service, noService } from "./service.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

const RULES = `package anteroom.organization

# METADATA
# title: Guests share no screen
# custom:
#   rule: quiet
#   reason: acme_quiet
withhold.shareScreen contains rego.metadata.rule().custom if input.participant.kind == "guest"
`;

const TESTS = `package anteroom.organization_test

import data.anteroom.organization

test_guests_share_no_screen if {
	some refusal in organization.withhold.shareScreen with input as {"participant": {"kind": "guest"}}
	refusal.reason == "acme_quiet"
}
`;

const KEEP = `package anteroom.organization.retention

shorten.copy contains {"days": 7, "rule": "week", "reason": "acme_week"} if input.kept.resource != ""
`;

const HOSTILE = ["<img src=x onerror=alert(1)>", "'; DROP TABLE decisions; --", "{{7*7}}%00${x}"];

describe("Policies, by hands", { skip: missing(CHROMIUM) || noService() }, () => {
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

  async function opened(t, address, user = "pat") {
    const { context, page, errors } = await consoleWindow(browser, service);
    t.after(async () => {
      await context.close();
      assert.deepEqual(errors, []);
    });
    page.on("dialog", (dialog) => errors.push(`a dialog: ${dialog.message()}`));
    await signIn(page, service, { user, roles: ["policy_author"], path: `/console${address}` });
    return page;
  }

  async function draft(title, files) {
    const made = await service.api("policy_author", "POST", "/v1/policies/contoso/drafts", { title, based_on: 0, files });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return made.body;
  }

  const next = (page, word) => page.locator(".policy-bar").getByRole("button", { name: word, exact: true });

  /** Types at the end of the file that is open. */
  async function append(page, text) {
    await page.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+End");
    await page.keyboard.insertText(text);
  }

  test("Two tabs on one draft: the second one is told, and neither loses anything", async (t) => {
    const { id } = await draft("Both", { "a.rego": RULES });
    const [first, second] = [await opened(t, `/policies?draft=${id}`), await opened(t, `/policies?draft=${id}`)];
    await second.locator(".cm-content").getByText("acme_quiet").waitFor();
    await append(first, "\n# Of the first tab.\n");
    await first.getByText("Saved", { exact: true }).waitFor();
    await append(second, "\n# Of the second tab.\n");
    await second.getByText("Somebody else saved this draft meanwhile.").waitFor();
    await screenshot(second, "90-policy-two-tabs");
    await assertNothingSerious(second, "a conflict of two tabs");
    // Nothing is written over while it is undecided, whatever is typed.
    await append(second, "# And more.\n");
    await second.getByRole("button", { name: "Keep both" }).click();
    await second.getByText("Both (mine)").first().waitFor();
    await second.locator(".cm-content").getByText("And more.").waitFor();
    const { body } = await service.api("policy_author", "GET", "/v1/policies/contoso/drafts");
    const texts = await Promise.all(body.drafts.map(async ({ id }) => (await service.api("policy_author", "GET", `/v1/policies/contoso/drafts/${id}`)).body.files["a.rego"]));
    assert.equal(texts.filter((text) => text.includes("# Of the first tab.") && !text.includes("second")).length, 1, JSON.stringify(texts));
    assert.equal(texts.filter((text) => text.includes("# Of the second tab.\n# And more.") && !text.includes("first tab")).length, 1, JSON.stringify(texts));
  });

  test("The base policy is there to be read, beside the organisation's own", async (t) => {
    const page = await opened(t, "/policies");
    await page.getByRole("button", { name: "Read the base policy" }).click();
    await page.locator(".cm-content[aria-readonly=true]").getByText("package anteroom.meeting").waitFor();
    await page.getByRole("navigation", { name: "Files" }).getByRole("button", { name: "anteroom/meeting/join.rego", exact: true }).click();
    await page.locator(".cm-content").getByText("The organisation has switched guests off").waitFor();
    await screenshot(page, "91-policy-base");
    await assertNothingSerious(page, "the base policy");
    const { id } = await draft("Over the base", { "a.rego": RULES });
    await page.goto(`${service.url}/console/policies?draft=${id}&file=base:anteroom/meeting/join.rego&line=40`);
    await page.locator(".cm-content[aria-readonly=true]").waitFor();
    await page.keyboard.insertText("x");
    assert.equal((await service.api("policy_author", "GET", `/v1/policies/contoso/drafts/${id}`)).body.version, 1);
    await page.getByRole("navigation", { name: "Files" }).getByRole("button", { name: "a.rego", exact: true }).click();
    await page.locator(".cm-content").getByText("acme_quiet").waitFor();
  });

  test("Rules on how long chat is kept are tried on a copy", async (t) => {
    const { id } = await draft("Keep", { "keep.rego": KEEP });
    const page = await opened(t, `/policies?draft=${id}&pane=evaluate&decision=kept`);
    await page.getByRole("button", { name: "Evaluate", exact: true }).click();
    await page.locator(".answer").getByText("7 days").waitFor();
    await page.locator(".answer").getByText("(by the rules of the house alone: 30 days)").waitFor();
    await page.locator(".answer").getByText("organization:week").waitFor();
    await page.locator(".cm-evaluated").first().waitFor({ state: "attached" });
    await screenshot(page, "92-policy-kept-evaluate");
    await assertNothingSerious(page, "a try of what is kept");
  });

  test("The keyboard alone leads from the text to the activation", async (t) => {
    const { id } = await draft("Keys", { "a.rego": RULES, "a_test.rego": TESTS });
    const page = await opened(t, `/policies?draft=${id}`);
    await page.getByText("No problems").waitFor();
    const inEditor = () => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.classList.contains("cm-content") ?? false);
    const press = async (key, done, what) => {
      for (let n = 0; n < 100; n++) {
        if (await done()) return;
        await page.keyboard.press(key);
      }
      assert.fail(`${key} doesn't lead to ${what}`);
    };
    await press("Tab", inEditor, "the text");
    await page.keyboard.press("ControlOrMeta+End");
    await page.keyboard.insertText("\n# By the keyboard.\n");
    // The first Escape may close what completes.
    for (let n = 0; n < 3 && (await inEditor()); n++) {
      await page.keyboard.press("Escape");
      await page.keyboard.press("Tab");
    }
    assert.equal(await inEditor(), false, "Escape and Tab don't lead out of the text");
    await press("Shift+Tab", inEditor, "the text again");
    await next(page, "Test").waitFor();
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByText("1 test passed").waitFor();
    await next(page, "Replay").waitFor();
    await page.keyboard.press("ControlOrMeta+Enter");
    await next(page, "Activate").waitFor({ timeout: 60_000 });
    await press("Shift+Tab", inEditor, "the text after the replay");
    await page.keyboard.press("ControlOrMeta+Enter");
    await page.getByRole("dialog").getByLabel("What changes and why").waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
    await page.keyboard.type("No screens of guests");
    await press("Tab", () => page.evaluate(() => document.activeElement?.textContent === "Activate" && document.activeElement.closest("[role=dialog]") !== null), "the dialog's button");
    await page.keyboard.press("Enter");
    await page.getByText("Revision 1 is active.").first().waitFor();
    await screenshot(page, "93-policy-keyboard");
  });

  test("What agents call their rules is text, in lists and filters, whatever is in it", async (t) => {
    const { status, body: made } = await service.api("policy_author", "POST", "/v1/policies/contoso/tokens", { name: HOSTILE[0] });
    assert.equal(status, 201, JSON.stringify(made));
    const event = {
      decision_id: randomUUID(), path: "anteroom/decision/answer", timestamp: new Date(Date.now() - 7_200_000).toISOString(), bundles: { contoso: { revision: "base@1" } },
      result: { effect: "deny", reasons: ["acme_quiet"], rules: HOSTILE }, input: null,
    };
    const sent = await fetch(`${service.url}/logs`, { method: "POST", headers: { authorization: `Bearer ${made.token}`, "content-type": "application/json" }, body: JSON.stringify([event]) });
    assert.equal(sent.status, 200, await sent.clone().text());
    await until("the decision", () => service.api("policy_author", "GET", "/v1/policies/contoso/decisions?last=24h&reason=acme_quiet"), ({ body }) => body?.decisions?.length === 1);
    for (const rule of HOSTILE) {
      const { body } = await service.api("policy_author", "GET", `/v1/policies/contoso/decisions?last=24h&rule=${encodeURIComponent(rule)}`);
      assert.equal(body.decisions?.length, 1, `by rule ${rule}: ${JSON.stringify(body)}`);
    }
    for (const filter of ["rule", "reason", "revision", "call_id", "capability"]) {
      const { status, body } = await service.api("policy_author", "GET", `/v1/policies/contoso/decisions?last=24h&${filter}=${encodeURIComponent("' OR 1=1 --")}`);
      assert.ok(status === 400 || body.decisions?.length === 0, `${filter}: ${status} ${JSON.stringify(body)}`);
    }
    const page = await opened(t, `/decisions?last=24h&rule=${encodeURIComponent(HOSTILE[0])}`);
    await settled(page);
    await page.getByText("acme_quiet").first().waitFor();
    await page.goto(`${service.url}/console/decisions/${event.decision_id}`);
    await page.getByText(HOSTILE[0]).first().waitFor();
    assert.equal(await page.locator("img[src=x]").count(), 0, "markup came out of a name");
    await screenshot(page, "94-decision-hostile");
    await assertNothingSerious(page, "hostile names");
  });

  test("Firefox activates, too", { skip: missing(FIREFOX) }, async (t) => {
    const active = await service.api("policy_author", "GET", "/v1/policies/contoso/active");
    const { id } = await draft("Fox", { "a.rego": RULES.replace("quiet\n#", "fox\n#"), "a_test.rego": TESTS });
    const firefox = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
    t.after(() => firefox.close());
    const page = await firefox.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(`${service.url}/console/policies?draft=${id}`);
    await page.locator("button::-p-text(Sign in)").click();
    await page.waitForSelector("select");
    await page.select("#organization", "contoso");
    await page.locator("#user").fill("fox");
    await page.locator("input[value=policy_author]").click();
    await page.locator("button::-p-text(Sign in)").click();
    await page.waitForSelector(".policy-bar");
    // From here on the pages are the console's; the one to sign in at has no icon, which Firefox looks for.
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    for (const word of ["Test", "Replay", "Activate"]) await page.locator(`.policy-bar .next button::-p-text(${word})`).click();
    await page.locator("[role=dialog] textarea").fill("By a fox");
    await page.locator("[role=dialog] button[type=submit]").click();
    await page.waitForFunction(() => !document.querySelector("[role=dialog]"));
    const now = await until("the activation", () => service.api("policy_author", "GET", "/v1/policies/contoso/active"), ({ body }) => body.version > active.body.version);
    assert.equal(now.body.message, "By a fox");
    await page.waitForFunction(() => document.body.textContent.includes("is active."));
    if (process.env.ANTEROOM_SCREENSHOTS) await page.screenshot({ path: `${process.env.ANTEROOM_SCREENSHOTS}/95-policy-firefox.png` });
    assert.deepEqual(errors, []);
  });
});
