// Real Chromium as a policy author: a rule is changed, seen to be wrong, mended, tested, replayed over what was decided, put live and taken back, while a real
// guest waits at a meeting's door.
//   ANTEROOM_BIN=… ANTEROOM_SCREENSHOTS=folder node --test web/test/policies.test.mjs
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CHROMIUM, launch, missing, newWindow, screenshot } from "./browser.mjs";
import { assertNothingSerious, consoleWindow, settled, signIn, until } from "./console.mjs";
import { enter } from "./consultation.mjs";
import { Service, noService } from "./service.mjs";

const rule = (field) => `package anteroom.organization

# METADATA
# title: The practice is closed to guests
# description: Who is inside stays.
# custom:
#   rule: practice_closed
#   reason: practice_closed
deny contains rego.metadata.rule().custom if {
	input.${field}.kind == "guest"
	input.participant.state != "admitted"
}
`;

const TESTS = `package anteroom.organization_test

import data.anteroom.organization

test_closed_to_guests if {
	refusals := organization.deny with input as {"participant": {"kind": "guest", "state": "new"}}
	{refusal.reason | some refusal in refusals} == {"practice_closed"}
}

test_open_to_users if {
	organization.deny == set() with input as {"participant": {"kind": "org_user", "state": "new"}}
}
`;

describe("A policy author", { skip: missing(CHROMIUM) || noService() }, () => {
  let service;
  let browser;
  /** What was decided before anybody changes a rule. */
  let decisions;

  before(async () => {
    service = await Service.start();
    browser = await launch();
    await meetOnce();
    const found = await until("the decisions of the meeting", () => service.api("policy_author", "GET", "/v1/policies/contoso/decisions?last=24h"), ({ body }) => body?.decisions?.length > 0, Date.now() + 120_000);
    decisions = found.body.decisions;
  });

  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  /** A guest and a user of the organisation meet, and the meeting ends: decisions to replay. */
  async function meetOnce() {
    const meeting = await service.newMeeting("Consultation 4711");
    const [host, guest] = [await newWindow(browser), await newWindow(browser)];
    await enter(guest.page, meeting.join_url, "Sam Guest");
    await guest.page.getByRole("heading", { name: "Waiting for the host" }).waitFor();
    await service.signIn(host.page, meeting.join_url, "Dr. Olga Host");
    await enter(host.page, meeting.join_url);
    await host.page.locator(".bar").getByRole("button", { name: /^Lobby\s*1 waiting/ }).click();
    await host.page.getByRole("button", { name: /^Admit / }).first().click();
    await guest.page.locator(".call").waitFor();
    const ended = await service.api("org_user", "POST", `/v1/meetings/${meeting.id}/end`);
    assert.equal(ended.status, 204, JSON.stringify(ended.body));
    await Promise.all([host.context.close(), guest.context.close()]);
  }

  async function opened(t, user, roles, options = {}) {
    const { path: address, ...rest } = options;
    const window = await consoleWindow(browser, service, rest);
    t.after(async () => {
      await window.context.close();
      assert.deepEqual(window.errors, []);
    });
    await signIn(window.page, service, { user, roles, path: address ?? "/console/policies" });
    return window.page;
  }

  /** Replaces the whole text of the file that is open. */
  async function write(page, text) {
    await page.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText(text);
  }

  const openFile = (page, name) => page.getByRole("navigation", { name: "Files" }).getByRole("button", { name, exact: true }).click();
  const next = (page, word) => page.locator(".policy-bar").getByRole("button", { name: word, exact: true });

  test("A rule is changed, seen wrong, mended, tested, replayed, put live while a guest waits, and taken back", async (t) => {
    const page = await opened(t, "pat", ["policy_author"]);
    await page.getByText("No rules of your own yet").waitFor();
    await page.getByRole("button", { name: "Begin a draft" }).click();
    await openFile(page, "organization.rego");

    await t.test("A mistake has a red line and its message as one types, and is mended", async () => {
      await write(page, rule("participnat"));
      await page.locator(".cm-problem.error").filter({ hasText: "participnat" }).waitFor();
      await page.locator(".cm-lintRange-error").first().waitFor();
      await next(page, "Check").waitFor();
      // The message is in words; a caret of the compiler's would point nowhere here.
      assert.doesNotMatch(await page.locator(".cm-problem.error").first().textContent(), /\^/);
      await screenshot(page, "80-policy-mistake");
      await assertNothingSerious(page, "a mistake");
      await write(page, rule("participant"));
      await page.locator(".cm-problem").waitFor({ state: "detached" });
      await page.getByText("No problems").waitFor();
    });

    await t.test("The tests that no longer fit fail with their trace, and the mended ones pass", async () => {
      await next(page, "Test").click();
      await page.getByText(/tests? failed/).waitFor();
      await page.locator(".trace").first().waitFor();
      await screenshot(page, "81-policy-red-test");
      await assertNothingSerious(page, "a red test");
      await openFile(page, "organization_test.rego");
      await write(page, TESTS);
      await next(page, "Test").click();
      await page.getByText("2 tests passed").waitFor();
      await page.getByText("100 % of the rules' lines covered").waitFor();
      await openFile(page, "organization.rego");
      await page.locator(".cm-covered").first().waitFor({ state: "attached" });
      await screenshot(page, "82-policy-green-tests");
      await assertNothingSerious(page, "green tests");
    });

    await t.test("The replay says in one sentence what would change, because of which rule, and its examples open in Evaluate", async () => {
      await next(page, "Replay").click();
      const sentence = page.getByText(/^Of [\d,]+ decisions? from .* would change/).first();
      await sentence.waitFor({ timeout: 60_000 });
      const said = await page.locator(".pane [role=status]", { has: sentence }).first().textContent();
      assert.match(said, /rule practice_closed/);
      assert.match(said, /→ deny/);
      t.diagnostic(said);
      await screenshot(page, "83-policy-replay");
      await page.locator(".example").first().click();
      await page.getByRole("button", { name: "Evaluate", exact: true }).click();
      await page.locator(".answer").getByText("Refused").waitFor();
      await page.locator(".answer").getByText("practice_closed").first().waitFor();
      // The lines that this decision was made by are marked, other than those that the tests covered.
      await page.locator(".cm-evaluated").first().waitFor({ state: "attached" });
      assert.equal(await page.locator(".cm-covered").count(), 0, "the tests' coverage is shown as the decision's");
      await screenshot(page, "84-policy-evaluate");
      await assertNothingSerious(page, "an evaluation");
      // The decision becomes a test, which passes as it is.
      await page.getByRole("button", { name: "Make a test of this decision" }).click();
      await page.getByText(/^test_\w+ is in decisions_test\.rego/).waitFor();
      await page.getByText("No problems").waitFor();
      await next(page, "Test").click();
      await page.getByText("3 tests passed").waitFor();
      await screenshot(page, "84-policy-made-test");
      await next(page, "Replay").click();
      await next(page, "Activate").waitFor({ timeout: 60_000 });
    });

    await t.test("Activated, a guest who waits is told at once; taken back, guests may wait again", async (t) => {
      const meeting = await service.newMeeting("Consultation 4712");
      const guest = await newWindow(browser);
      t.after(() => guest.context.close());
      await enter(guest.page, meeting.join_url, "Sam Guest");
      await guest.page.getByRole("heading", { name: "Waiting for the host" }).waitFor();
      await guest.page.evaluate(() => {
        new MutationObserver(() => {
          if (document.body.textContent.includes("You are not in the meeting")) window.toldAt ??= Date.now();
        }).observe(document.body, { childList: true, subtree: true, characterData: true });
      });
      await next(page, "Activate").click();
      await page.getByLabel("What changes and why").fill("The practice is closed: guests are turned away");
      await screenshot(page, "85-policy-activate");
      await assertNothingSerious(page, "activating");
      await page.evaluate(() => document.addEventListener("click", () => (window.clickedAt = Date.now()), { capture: true }));
      await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
      await guest.page.getByText("You are not in the meeting").waitFor();
      await page.getByText("Revision 1 is active.").first().waitFor();
      // Figures for the reader: how long it takes depends on the machine. Between click and activation the revision is made and tested twice.
      const { body: active } = await service.api("policy_author", "GET", "/v1/policies/contoso/active");
      const [told, clicked, activated] = [await guest.page.evaluate(() => window.toldAt), await page.evaluate(() => window.clickedAt), Date.parse(active.activated_at)];
      t.diagnostic(`the guest was told ${told - activated} ms after the activation, which came ${activated - clicked} ms after the click`);
      await screenshot(page, "86-policy-active");
      await screenshot(guest.page, "86-policy-guest");

      await page.getByRole("tab", { name: "History" }).click();
      await page.getByRole("cell", { name: "The practice is closed: guests are turned away" }).waitFor();
      await page.getByRole("button", { name: "Roll back to the base policy alone" }).click();
      await page.getByLabel("Why").fill("Open again");
      await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
      await page.getByText("Revision 2 is active.").first().waitFor();
      await screenshot(page, "87-policy-history");
      // Its content is the base alone: there is nothing to go back to any more, and a draft begins with an example.
      assert.equal(await page.getByRole("button", { name: "Roll back to the base policy alone" }).count(), 0);
      await page.getByRole("tab", { name: "Rules", exact: true }).click();
      await page.getByText("No rules of your own yet").waitFor();
      await page.getByRole("button", { name: "Begin a draft" }).waitFor();
      // The same address but for its fragment would not be loaded anew.
      await guest.page.goto("about:blank");
      await enter(guest.page, meeting.join_url, "Sam Guest");
      await guest.page.getByRole("heading", { name: "Waiting for the host" }).waitFor();
    });
  });

  test("The form of guests' capabilities writes readable files, reads them back, and says when they go beyond it", async (t) => {
    const page = await opened(t, "petra", ["policy_author"], { path: "/console/policies?view=guests" });
    await page.getByRole("button", { name: "Edit as a draft" }).or(page.getByRole("button", { name: "Begin a draft" })).first().click();
    const chat = page.getByRole("switch", { name: "Guests have sendChat", exact: true });
    await chat.click();
    await page.getByRole("row", { name: /sendChat/ }).getByText(/doesn't have it \(policy_restricted\)/).waitFor();
    await screenshot(page, "88-policy-guests");
    await assertNothingSerious(page, "guests' capabilities");
    await page.getByRole("tab", { name: "Rules" }).click();
    await openFile(page, "data.json");
    await page.locator(".cm-content").getByText('"sendChat"').waitFor();
    await openFile(page, "guests.rego");
    await page.getByText("No problems").waitFor();
    await page.getByText("not formatted").waitFor({ state: "detached" });
    await next(page, "Test").click();
    await page.getByText("3 tests passed").waitFor();
    await page.getByText("100 % of the rules' lines covered").waitFor();
    // What was written is what is read, in the next window too.
    await page.getByText("Saved", { exact: true }).waitFor();
    await page.reload();
    await page.getByRole("tab", { name: "Guests' capabilities" }).click();
    await chat.waitFor();
    assert.equal(await chat.isChecked(), false, "the form doesn't read back what it wrote");
    await page.getByRole("tab", { name: "Rules" }).click();
    await openFile(page, "guests.rego");
    await page.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+End");
    await page.keyboard.insertText("\n# Changed by hand.\n");
    await page.getByRole("tab", { name: "Guests' capabilities" }).click();
    await page.getByText("These files go beyond what the form can say").waitFor();
  });

  test("Two authors: the second activation is refused, told why, and nothing is lost", async (t) => {
    const made = await service.api("policy_author", "POST", "/v1/policies/contoso/drafts", { title: "Late", based_on: 2, files: { "a.rego": rule("participant"), "a_test.rego": TESTS } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const page = await opened(t, "paul", ["policy_author"], { path: `/console/policies?draft=${made.body.id}` });
    await page.getByText("No problems").waitFor();
    await next(page, "Test").click();
    await page.getByText("2 tests passed").waitFor();
    await next(page, "Replay").click();
    await next(page, "Activate").click({ timeout: 60_000 });
    // Meanwhile somebody else activates.
    const other = await service.api("policy_author", "POST", "/v1/policies/contoso/revisions", { files: { "b.rego": rule("participant"), "b_test.rego": TESTS }, message: "Earlier", parent: 2 });
    assert.equal(other.status, 201, JSON.stringify(other.body));
    const active = await service.api("policy_author", "GET", "/v1/policies/contoso/active");
    const response = await fetch(`${service.url}/v1/policies/contoso/activate`, {
      method: "POST",
      headers: { authorization: `Bearer ${service.token("policy_author")}`, "content-type": "application/json", "if-match": `"${active.body.version}"` },
      body: JSON.stringify({ revision: other.body.number, message: "Earlier" }),
    });
    assert.equal(response.status, 200, await response.text());
    await page.getByLabel("What changes and why").fill("Too late");
    await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
    await page.getByRole("dialog").getByText(/was activated meanwhile, by somebody else/).waitFor();
    await screenshot(page, "89-policy-conflict");
    await page.getByRole("dialog").getByRole("button", { name: "Show the difference" }).click();
    await page.locator(".diff-line.in").first().waitFor();
    await page.getByText(/was activated since this draft was begun/).waitFor();
  });

  test("A decision leads to Evaluate, where the policy is asked about it", async (t) => {
    const page = await opened(t, "pat", ["policy_author"], { path: `/console/decisions/${decisions[0].decision_id}` });
    await page.getByRole("link", { name: "Evaluate on the policy" }).click();
    await page.getByRole("button", { name: "Evaluate", exact: true }).click();
    await page.locator(".answer").waitFor();
    assert.match(page.url(), new RegExp(`decision=${decisions[0].decision_id}`));
  });

  test("Admins and auditors read: nothing can be changed, and an admin may roll back", async (t) => {
    for (const [user, role, rollsBack] of [["adam", "admin", true], ["audrey", "auditor", false]]) {
      const page = await opened(t, user, [role]);
      await page.getByText("Policy authors change policies.").waitFor();
      await page.locator(".cm-content[aria-readonly=true]").waitFor();
      assert.equal(await page.getByRole("button", { name: "Edit as a draft" }).count(), 0, `${role} is offered to edit`);
      await page.getByRole("tab", { name: "History" }).click();
      await page.getByRole("row").nth(1).waitFor();
      assert.equal((await page.getByRole("button", { name: /^Roll back/ }).count()) > 0, rollsBack, `${role}: rolling back`);
    }
  });

  test("No screen of policies has a serious fault, breaks the page's policy, or is wider than a phone", async (t) => {
    const long = `${"a_file_with_a_name_that_is_much_longer_than_its_column/".repeat(2)}rules.rego`;
    const { body: draft } = await service.api("policy_author", "POST", "/v1/policies/contoso/drafts", {
      title: `A draft with a title that is ${"very ".repeat(30)}long`, based_on: 0, files: { [long]: rule("participnat"), "organization_test.rego": TESTS },
    });
    const at = `draft=${draft.id}`;
    const screens = ["/policies", "/policies?view=guests", "/policies?view=history", `/policies?${at}`, `/policies?${at}&pane=evaluate`, `/policies?${at}&pane=replay`, `/policies?${at}&pane=diff`, `/policies?${at}&view=guests`, "/policies?draft=nothing", "/policies?revision=1", "/policies?revision=9999", "/decisions", "/decisions?last=1h&capability=nothing", `/decisions/${decisions[0].decision_id}`, "/decisions/nothing"];
    for (const [look, options] of [["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }], ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }]]) {
      const page = await opened(t, "pat", ["policy_author", "admin"], { path: "/console/settings", ...(look === "phone" ? {} : options) });
      if (options.viewport) await page.setViewportSize(options.viewport);
      for (const [index, address] of screens.entries()) {
        await page.goto(`${service.url}/console${address}`);
        await settled(page);
        await screenshot(page, `95-policies-${look}-${index}`);
        if (look !== "phone") await assertNothingSerious(page, `${address} (${look})`);
        const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth - document.documentElement.clientWidth, ...[...document.querySelectorAll("main")].map((m) => m.scrollWidth - m.clientWidth)));
        assert.ok(wide <= 0, `${address} (${look}) is ${wide} pixels too wide`);
      }
    }
  });
});
