// Real Chromium walks the console: as an admin with a complaint, as an auditor who trusts nothing, and as somebody with hostile names.
//   ANTEROOM_BIN=… ANTEROOM_SCREENSHOTS=folder node --test web/test/console.test.mjs
import assert from "node:assert/strict";
import { execFileSync, execSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { CHROMIUM, launch, missing, newWindow, screenshot } from "./browser.mjs";
import { assertNothingSerious, consoleWindow, settled, signIn, until } from "./console.mjs";
import { enter } from "./consultation.mjs";
import { Service, binary, noService } from "./service.mjs";

/** Each would run if it got into a page as markup. */
const HOSTILE = '<img src=x onerror="window.scripted=1">Olga</script><script>window.scripted=1</script>';
const HOSTILE_GUEST = '<svg/onload="window.scripted=1">Sam{{constructor.constructor("window.scripted=1")()}}';
const HOSTILE_TITLE = '"><script>window.scripted=1</script><a href="javascript:window.scripted=1">Consultation';

const dump = (name) => readFileSync(new URL(`../../internal/demo/${name}.dump`, import.meta.url));

describe("The console", { skip: missing(CHROMIUM) || noService() }, () => {
  let service;
  let browser;
  /** The call of a dump, and the guest in it. */
  let complaint;
  let meeting;
  const folder = mkdtempSync(path.join(tmpdir(), "anteroom-console-"));

  before(async () => {
    service = await Service.start();
    browser = await launch();
    for (const name of ["clean", "impaired"]) {
      const headers = { authorization: `Bearer ${service.token("admin")}`, "content-type": "application/octet-stream" };
      const answer = await fetch(`${service.url}/v1/imports?format=rtcstats&org=contoso`, { method: "POST", headers, body: dump(name) });
      const { calls } = await answer.json();
      complaint = calls[0].call_id;
    }
    const { body } = await service.api("admin", "GET", `/v1/calls/${complaint}/participants`);
    complaint = { call: complaint, code: `${complaint}/${body.participants[0].participant_id}` };
    meeting = await service.newMeeting(HOSTILE_TITLE);
    await until("the imported calls", () => service.api("admin", "GET", "/v1/calls"), ({ body }) => body.calls?.length === 2);
  });

  after(async () => {
    await browser?.close();
    await service?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A window signed in with roles; what goes wrong in it fails the test at its end. */
  async function opened(t, user, roles, options = {}) {
    const { path: address, name, ...rest } = options;
    const window = await consoleWindow(browser, service, rest);
    t.after(async () => {
      await window.context.close();
      assert.deepEqual(window.errors, []);
    });
    await signIn(window.page, service, { user, roles, name, path: address });
    return window.page;
  }

  test("An admin goes from a guest's support code to the reason in at most four clicks", async (t) => {
    const page = await opened(t, "adam", ["admin"]);
    await page.getByRole("heading", { level: 1, name: "Calls" }).waitFor();
    await page.evaluate(() => {
      window.clicks = 0;
      document.addEventListener("click", (e) => e.isTrusted && e.detail > 0 && window.clicks++, true);
    });
    await page.getByRole("combobox", { name: "Search" }).or(page.getByRole("searchbox", { name: "Search" })).first().click();
    await page.keyboard.insertText(complaint.code);
    await page.keyboard.press("Enter");
    await page.getByText("The support code is that of Anonymous 1.").waitFor();
    // The cause, with value and threshold, is on the first screen; the rule is one hover away.
    const cause = page.locator(".issue").first().getByText(/^(loss|jitter|jitter-buffer delay|round-trip time) .* \(over .*\)$/).first();
    await cause.waitFor();
    await cause.hover();
    await page.getByRole("tooltip").getByText(/Poor when .* is over .*\. Source: /).waitFor();
    await screenshot(page, "60-console-reason");
    await page.getByRole("link", { name: "show on the timeline" }).first().click();
    await page.getByText("What the network did").waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 4);
    assert.match(page.url(), /stream=[0-9a-f-]{36}/, "the address doesn't say which stream is shown");
    const clicks = await page.evaluate(() => window.clicks);
    t.diagnostic(`${clicks} clicks`);
    assert.ok(clicks <= 4, `${clicks} clicks`);
    assert.ok(!(await page.textContent("body")).includes("Dana"), "the guest's name is on the page");
  });

  test("The list is walked by keys, its state is in the address, and it is saved as CSV and JSON", async (t) => {
    const page = await opened(t, "adam", ["admin"], { path: "/console/calls?last=90d&verdict=poor" });
    await page.getByRole("row").nth(1).waitFor();
    assert.equal(await page.getByRole("row").count(), 2, "the filter of the address is not applied");
    for (const [button, ending, fits] of [["CSV", "csv", /^Start,Meeting,Who,/], ["JSON", "json", /"verdict": "poor"/]]) {
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).first().click()]);
      assert.match(download.suggestedFilename(), new RegExp(`^anteroom-calls-.*\\.${ending}$`));
      assert.match(readFileSync(await download.path(), "utf8"), fits);
    }
    await page.getByRole("button", { name: "Share" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
    await page.getByRole("button", { name: "Take the filter Verdict away" }).click();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 2);
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    const first = await page.evaluate(() => document.activeElement.closest("tr").rowIndex);
    assert.equal(first, 1, "j and k don't move between rows");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: "Overview" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Search");
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Calls" }).waitFor();
  });

  test("A cell of the heat map leads to the poor calls that began in its hour", async (t) => {
    const page = await opened(t, "adam", ["admin"], { path: "/console/quality?last=90d" });
    await page.locator(".heat td a.dark").first().click();
    await page.waitForURL(/\/calls\?.*hour_of_day=\d+/);
    const chip = page.getByRole("button", { name: /^Began in the hour \d\d:00 to \d\d:59$/ });
    await chip.waitFor();
    await page.getByRole("row").nth(1).waitFor();
    assert.equal(await page.getByRole("row").count(), 2, "the poor call of that hour is not the only one");
    await screenshot(page, "60-console-calls-of-an-hour");
    // At another hour there was none.
    const other = new URL(page.url());
    other.searchParams.set("hour_of_day", String((Number(other.searchParams.get("hour_of_day")) + 1) % 24));
    await page.goto(other.href);
    await page.getByText("No call fits these filters.").waitFor();
    await page.getByRole("button", { name: "Take the filter Began in the hour away" }).click();
    await page.waitForURL((url) => !url.searchParams.has("hour_of_day") && !url.searchParams.has("time_zone"));
    await page.getByRole("row").nth(1).waitFor();
  });

  test("Hostile names can't script the console", async (t) => {
    // A real meeting of an org user and a guest whose names are markup; the admin looks on.
    const [host, guest] = [await newWindow(browser), await newWindow(browser)];
    t.after(() => Promise.all([host.context.close(), guest.context.close()]));
    await host.page.goto(meeting.join_url);
    await host.page.getByRole("link", { name: "Sign in" }).click();
    await host.page.getByLabel("User id", { exact: true }).fill("olga");
    await host.page.getByLabel(/^Display name/).fill(HOSTILE);
    await host.page.getByRole("button", { name: "Sign in" }).click();
    await enter(host.page, meeting.join_url);
    await host.page.locator(".call").waitFor();
    await enter(guest.page, meeting.join_url, HOSTILE_GUEST);
    await host.page.locator(".bar").getByRole("button", { name: /^Lobby\s*1 waiting/ }).click();
    await host.page.getByRole("button", { name: /^Admit / }).first().click();
    await guest.page.locator(".call").waitFor();
    const code = await guest.page.locator("#support-code").first().textContent();

    const page = await opened(t, "adam", ["admin"], { path: `/console/meetings/${meeting.id}`, name: HOSTILE });
    await page.getByText(HOSTILE_GUEST).waitFor();
    await page.getByText("external", { exact: true }).waitFor();
    await screenshot(page, "61-console-hostile-meeting");
    await page.getByRole("button", { name: "End for everybody" }).click();
    await page.getByText("Ended.", { exact: true }).waitFor();
    await page.goto(`${service.url}/console/settings`);
    await page.getByLabel("Name").fill(HOSTILE);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved", { exact: true }).waitFor();
    await page.locator(".brand-org", { hasText: "<img src=x" }).waitFor();
    const call = code.split("/")[0];
    await until("the call", () => service.api("admin", "GET", `/v1/calls?q=${call}`), ({ body }) => body.calls?.[0]?.who.anonymous === 1);

    for (const address of ["/meetings", `/meetings/${meeting.id}`, "/calls", `/calls/${call}`, `/calls/${call}?tab=timeline`, `/calls/${call}?tab=raw`, `/calls/${call}?tab=notices`, "/live", `/calls?q=${encodeURIComponent(HOSTILE)}`]) {
      await page.goto(`${service.url}/console${address}`);
      await settled(page);
      assert.equal(await page.evaluate(() => window.scripted), undefined, `${address} ran a name`);
      assert.equal(await page.locator("main script, main img, main svg[onload], main a[href^=javascript]").count(), 0, `${address} has markup of a name`);
    }
    await page.goto(`${service.url}/console/calls/${call}`);
    await page.locator(".gantt-names").getByText(/^<img src=x/).first().waitFor();
    const text = await page.textContent("body");
    assert.ok(!text.includes("onload"), "the guest's name is in call analytics");
    assert.match(text, /Anonymous 1/);
  });

  test("Decisions are filtered, and one leads to the rules that made it and to its input, without a name", async (t) => {
    await until("the decisions of the meeting", () => service.api("auditor", "GET", "/v1/policies/contoso/decisions?effect=lobby"), ({ body }) => body.decisions?.length > 0);
    const page = await opened(t, "audrey", ["auditor"], { path: "/console/decisions?last=24h" });
    await page.getByRole("cell", { name: "Allowed" }).first().waitFor();
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByRole("button", { name: "Effect", exact: true }).click();
    await page.getByRole("option", { name: "Waits" }).click();
    await page.waitForURL(/effect=lobby/);
    await page.getByRole("cell", { name: "Allowed" }).first().waitFor({ state: "detached" });
    await screenshot(page, "64-console-decisions");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Why" }).waitFor();
    await page.getByText(/Rule J\d+/).first().waitFor();
    await page.getByText('"kind": "guest"').waitFor();
    assert.ok(!(await page.textContent("body")).includes("onload"), "a guest's name is with a decision");
    await screenshot(page, "65-console-decision");
    await assertNothingSerious(page, "a decision");
  });

  test("An auditor goes from signing in to a verified report", async (t) => {
    const page = await opened(t, "audrey", ["auditor"]);
    await page.getByRole("heading", { level: 1, name: "Retention" }).waitFor();
    await page.getByText("Last checkpoint").first().waitFor();
    await screenshot(page, "62-console-retention");
    await page.getByRole("link", { name: "New report" }).click();
    await page.getByRole("button", { name: "Ask for the report" }).click();
    await page.getByRole("heading", { name: "Verify it" }).waitFor({ timeout: 120_000 });
    const [bundle] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "emea.bundle.zip" }).click()]);
    await bundle.saveAs(path.join(folder, "emea.bundle.zip"));
    await page.getByText("anteroom verify emea.bundle.zip --key emea.key").waitFor();
    await screenshot(page, "63-console-report");
    await page.reload();
    await page.getByRole("cell", { name: "audrey" }).first().waitFor();

    // The report's page has such a button for each region: the ledger's is meant.
    await page.getByRole("link", { name: "Ledger" }).click();
    await page.getByRole("heading", { level: 1, name: "Ledger" }).waitFor();
    const [key] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the key" }).click()]);
    await key.saveAs(path.join(folder, "emea.key"));
    const said = execFileSync(binary, ["verify", path.join(folder, "emea.bundle.zip"), "--key", path.join(folder, "emea.key")], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    t.diagnostic(said.trim().split("\n").at(-1));
  });

  test("The calls of a list are handed on as a report, which is verified with what its page says", async (t) => {
    const page = await opened(t, "adam", ["admin"], { path: "/console/calls?last=90d&verdict=poor" });
    await page.getByRole("link", { name: "Report of these" }).click();
    const form = page.getByRole("dialog", { name: "New report" });
    await form.getByRole("button", { name: "Verdict poor" }).waitFor();
    await form.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByRole("button", { name: "At least, seconds" }).click();
    await page.getByLabel("At least, seconds").fill("60");
    await page.getByRole("button", { name: "Apply" }).click();
    await form.getByRole("button", { name: "At least, seconds 60" }).waitFor();
    await screenshot(page, "64-console-new-report");
    await form.getByRole("button", { name: "Ask for the report" }).click();
    await page.getByRole("heading", { name: "Verify it" }).waitFor({ timeout: 120_000 });
    assert.match(await page.locator(".panel", { hasText: "What was asked for" }).textContent(), /At least, seconds60.*Verdictpoor/);
    await page.getByText("not in the ledger").waitFor();
    const own = mkdtempSync(path.join(folder, "calls-"));
    for (const name of ["emea.bundle.zip", "emea.digests.csv"]) {
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
      await file.saveAs(path.join(own, name));
    }
    const [key] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save the key" }).click()]);
    await key.saveAs(path.join(own, "emea.key"));
    const rows = readFileSync(path.join(own, "emea.digests.csv"), "utf8").trim().split("\n");
    assert.equal(rows.length, 2, `the filters are not kept: ${rows}`);
    assert.ok(rows[1].includes(complaint.call));
    // As a person would: each command of the page, in the folder of the files.
    const env = { ...process.env, PATH: `${path.dirname(binary)}:${process.env.PATH}` };
    for (const command of await page.locator(".command pre").allTextContents()) {
      t.diagnostic(execSync(command, { cwd: own, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim().split("\n").at(-1));
    }
  });

  test("A hold shows what it covers before it is placed, a policy what it would delete", async (t) => {
    const page = await opened(t, "adam", ["admin"], { path: `/console/holds/new?on=meeting&id=${meeting.id}` });
    await page.getByLabel("Reason").fill(HOSTILE);
    await page.getByRole("button", { name: "See what it covers" }).click();
    await page.getByText(/The hold would cover \d+ thing|Nothing that is kept now/).waitFor();
    await page.getByRole("button", { name: "Place the hold" }).click();
    await page.getByRole("heading", { name: "History" }).waitFor();
    await page.getByRole("link", { name: "Retention" }).click();
    await page.getByRole("link", { name: "New policy" }).click();
    await page.getByLabel("Name").fill(HOSTILE);
    await page.getByRole("button", { name: "Preview" }).click();
    await page.getByRole("status", { name: "What it would do" }).waitFor();
    await page.getByRole("button", { name: "Make the policy" }).click();
    await page.getByRole("heading", { name: "History" }).waitFor();
    for (const address of ["/holds", "/retention?tab=policies"]) {
      await page.goto(`${service.url}/console${address}`);
      await page.getByRole("row").nth(1).waitFor();
      assert.equal(await page.evaluate(() => window.scripted), undefined, `${address} ran a name`);
    }
  });

  test("Everybody sees the screens of their role and no others", async (t) => {
    for (const [user, roles, screens] of [
      ["mia", [], ["Meetings"]],
      ["sue", ["support"], ["Calls", "Quality", "Live", "Meetings", "Settings"]],
      ["pat", ["policy_author"], ["Meetings", "Retention", "Holds", "Policies", "Decisions", "Settings"]],
    ]) {
      const page = await opened(t, user, roles);
      await settled(page);
      assert.deepEqual(await page.getByRole("navigation").getByRole("link").allTextContents(), screens, `${user} sees other screens`);
    }
  });

  test("No screen has a serious fault of accessibility, breaks its policy, or is wider than a phone", async (t) => {
    const { body } = await service.api("admin", "GET", "/v1/exports");
    const screens = [
      "/calls?last=90d", "/calls?last=15m", `/calls/${complaint.call}`, `/calls/${complaint.call}?tab=issues`, `/calls/${complaint.call}?tab=timeline`, `/calls/${complaint.call}?tab=raw`,
      `/calls/${complaint.call}?tab=notices`, "/calls/nothing", "/quality?last=90d", "/live", "/compare", `/compare?by=calls&a_call=${complaint.call}&b_call=${complaint.call}`,
      "/meetings", `/meetings/${meeting.id}`, "/retention", "/retention?tab=policies", "/retention/new", "/holds", "/holds/new", "/reports", "/reports?new=retention",
      `/reports/${body.exports[0]?.export_id}`, "/ledger", "/decisions", "/decisions?last=1h&capability=nothing", "/decisions/nothing", "/settings", "/settings?tab=users", "/settings?tab=resources", "/settings?tab=sites", "/nothing", ...["reports", "meetings", "holds", "retention"].map((list) => `/${list}/11111111-1111-4111-8111-111111111111`),
    ];
    for (const [look, options] of [
      ["light", { colorScheme: "light" }],
      ["dark", { colorScheme: "dark" }],
      ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
    ]) {
      // Who is an auditor besides sees reports that others asked for as well.
      const page = await opened(t, "adam", ["admin", "auditor"], { path: "/console/settings", ...(look === "phone" ? {} : options) });
      if (options.viewport) await page.setViewportSize(options.viewport);
      for (const [index, address] of screens.entries()) {
        await page.goto(`${service.url}/console${address}`);
        await settled(page);
        await screenshot(page, `70-console-${look}-${index}-${address.split(/[/?]/)[1]}`);
        await assertNothingSerious(page, `${address} (${look})`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(wide <= 0, `${address} (${look}) is ${wide} pixels too wide`);
        const cut = await page.evaluate(() => { const main = document.querySelector("main"); return main.scrollWidth - main.clientWidth; });
        assert.ok(cut <= 0, `${address} (${look}) has ${cut} pixels more than its width`);
      }
    }
  });
});
