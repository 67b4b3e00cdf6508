// What browsers keep of a meeting, on the page and in the files of their profiles, once it is over.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { CHROMIUM, launch, launchProfile, missing, newWindow } from "./browser.mjs";
import { settled, signIn, until } from "./console.mjs";
import { enter, openPanel } from "./consultation.mjs";
import { Service, noService } from "./service.mjs";

const unlike = (what) => `${what}-${randomBytes(8).toString("hex")}`;

/** The files of a folder that hold a text, in either width that browsers write texts in. */
function holding(folder, text) {
  const forms = [Buffer.from(text), Buffer.from(text, "utf16le")];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => {
      const content = readFileSync(file);
      return forms.some((form) => content.includes(form));
    });
}

/** What a page can read of what it stored. */
function stored(page) {
  return page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookies: document.cookie,
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
}

const NOTHING = { local: {}, session: {}, cookies: "", databases: [], caches: [], workers: 0 };

/** Ends the browser and searches its profile, in which what was planted must be found first. */
async function assertForgotten(context, page, folder, needles) {
  const canary = unlike("canary");
  await page.evaluate((text) => {
    localStorage.setItem("canary", text);
    sessionStorage.setItem("canary", text);
  }, canary);
  await context.close();
  assert.notDeepEqual(holding(folder, canary), [], "what was planted is not found, so the search proves nothing");
  for (const [what, text] of Object.entries(needles)) assert.deepEqual(holding(folder, text), [], `${what} is in the browser's profile`);
}

test("No browser keeps a guest's name, or what was said", { skip: missing(CHROMIUM) || noService() }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "anteroom-profiles-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const service = await Service.start();
  t.after(() => service.stop());
  const browser = await launch();
  t.after(() => browser.close());
  const needles = { "the guest's name": unlike("name"), "what the guest said": unlike("said"), "what the host said": unlike("answer") };

  const profile = path.join(folder, "guest");
  const context = await launchProfile(profile);
  const guest = context.pages()[0];
  const { page: host } = await newWindow(browser);
  const meeting = await service.newMeeting("A consultation");
  await service.signIn(host, meeting.join_url, "Olga Host");
  await enter(host, meeting.join_url);
  await enter(guest, meeting.join_url, needles["the guest's name"]);
  await openPanel(host, "Lobby");
  await host.getByRole("button", { name: `Admit ${needles["the guest's name"]}` }).click();
  await guest.locator(".call").waitFor();
  // A page that is loaded anew comes back: what it keeps for that must not stay either.
  await guest.reload();
  await guest.locator(".tile.self", { hasText: needles["the guest's name"] }).waitFor();
  for (const page of [guest, host]) await openPanel(page, "Chat");
  for (const [page, other, text] of [[guest, host, needles["what the guest said"]], [host, guest, needles["what the host said"]]]) {
    await page.getByRole("textbox", { name: "Message" }).fill(text);
    await page.getByRole("textbox", { name: "Message" }).press("Enter");
    await other.locator(".message", { hasText: text }).waitFor();
  }
  assert.notDeepEqual((await stored(guest)).session, {}, "nothing is kept to come back by");
  await guest.locator(".bar").getByRole("button", { name: "Leave" }).click();
  await guest.getByRole("heading", { name: "You left the meeting" }).waitFor();
  assert.deepEqual(await stored(guest), NOTHING, "the guest's page keeps something");
  await assertForgotten(context, guest, profile, needles);

  await host.locator(".bar").getByRole("button", { name: "Leave" }).click();
  const [call] = await until("the call", async () => (await service.api("admin", "GET", `/v1/calls?q=${meeting.id}&last=24h`)).body.calls, (calls) => calls?.length > 0);
  const own = path.join(folder, "admin");
  const console = await launchProfile(own);
  const page = console.pages()[0];
  await signIn(page, service, { user: "adam", roles: ["admin", "auditor", "policy_author"] });
  for (const screen of ["calls", `calls/${call.call_id}`, "decisions", "live", "quality", "retention", "meetings", `meetings/${meeting.id}`]) {
    await page.goto(`${service.url}/console/${screen}`);
    await settled(page);
  }
  await assertForgotten(console, page, own, needles);
});
