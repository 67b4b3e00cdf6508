// One consultation of an org user and a guest, step by step, on two real pages.
import assert from "node:assert/strict";
import { assertAccessible, awaitFrames, awaitHeight, screenshot } from "./browser.mjs";

const control = (page, name) => page.locator(".bar").getByRole("button", { name });

/** Goes from the page before the call to the door; `name` is a guest's. */
export async function enter(page, link, name) {
  await page.goto(link);
  if (name) await page.getByLabel("Your name").fill(name);
  await page.locator(".mirror-note").waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Join", exact: true }).click();
}

/** Opens a panel of the call unless it is open. */
export async function openPanel(page, name) {
  const button = control(page, new RegExp(`^${name}`));
  if ((await button.getAttribute("aria-expanded")) !== "true") await button.click();
}

/** The guest comes first, waits for a host, then in the lobby, and is let in. */
export async function waitAndAdmit({ host, guest, link }) {
  await guest.goto(link);
  await guest.getByLabel("Your name").waitFor();
  await assertAccessible(guest);
  await screenshot(guest, "1-guest-before");
  await enter(guest, link, "Sam Guest");
  await guest.getByRole("heading", { name: "Waiting for the host" }).waitFor();
  await screenshot(guest, "2-guest-waiting");
  await assertAccessible(guest);

  await enter(host, link);
  await guest.getByRole("heading", { name: "You are in the lobby" }).waitFor();
  await control(host, /^Lobby\s*1 waiting/).waitFor();
  await openPanel(host, "Lobby");
  const waiting = host.locator(".lobby li", { hasText: "Sam Guest" });
  await waiting.getByText("External").waitFor();
  await screenshot(host, "3-host-lobby");
  await assertAccessible(host);
  await waiting.getByRole("button", { name: "Admit Sam Guest" }).click();
  await guest.locator(".call").waitFor();
}

/** Both see the other's camera move, and the host sees who is external. */
export async function seeEachOther({ host, guest }) {
  await Promise.all([awaitFrames(host), awaitFrames(guest)]);
  await host.locator(".tile", { hasText: "Sam Guest" }).getByText("External").waitFor();
  await host.locator(".tile:not(.self) video:visible").waitFor();
  await screenshot(host, "4-host-call");
  await screenshot(guest, "4-guest-call");
  await Promise.all([assertAccessible(host), assertAccessible(guest)]);
}

/** The picture has the size that the tile has room for: large, then small, then large again. Answers with the lines that came. */
export async function fitTile({ host }) {
  const seen = [await awaitHeight(host, "a large tile", (height) => height >= 360)];
  const picture = host.locator(".tile:not(.self) video:visible");
  await picture.evaluate((video) => (video.style.height = "120px"));
  seen.push(await awaitHeight(host, "a small tile", (height) => height > 0 && height <= 180));
  await picture.evaluate((video) => (video.style.height = ""));
  seen.push(await awaitHeight(host, "a large tile", (height) => height >= 360));
  return seen;
}

/** The guest shares its screen and stops. */
export async function shareScreen({ host, guest }) {
  await control(guest, "Share").click();
  const screen = host.locator(".screen-video");
  await screen.waitFor();
  await host.waitForFunction(() => (document.querySelector(".screen-video")?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 3);
  await screenshot(host, "5-host-screen");
  await control(guest, "Stop share").click();
  await screen.waitFor({ state: "detached" });
}

async function write(page, text) {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.getByRole("textbox", { name: "Message" }).press("Enter");
}

/** Both write; typing is shown, receipts come, a message is edited and another deleted. */
export async function chat({ host, guest }) {
  await openPanel(host, "Chat");
  await openPanel(guest, "Chat");
  await write(host, "Good morning, how are you?");
  await guest.locator(".message", { hasText: "Good morning, how are you?" }).waitFor();
  await host.locator(".message", { hasText: "Seen by 1" }).waitFor();
  await guest.getByRole("textbox", { name: "Message" }).pressSequentially("Fine");
  await host.getByText("Sam Guest is typing").waitFor();
  await write(guest, "Fine, danke 🙂");
  const message = host.locator(".message", { hasText: "Fine, danke 🙂" });
  await message.getByText("External").waitFor();
  await guest.getByRole("button", { name: /^Edit: message of Sam Guest/ }).click();
  await write(guest, "Fine, thank you");
  await host.locator(".message", { hasText: "Fine, thank you" }).getByText("Edited").waitFor();
  await write(guest, "Wrong window");
  await host.locator(".message", { hasText: "Wrong window" }).waitFor();
  await guest.getByRole("button", { name: /^Delete: message of Sam Guest/ }).last().click();
  await guest.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await host.locator(".message", { hasText: "Wrong window" }).waitFor({ state: "detached" });
  assert.equal(await guest.getByRole("button", { name: /^Reply/ }).count(), 0, "a guest is offered to reply");
  assert.notEqual(await host.getByRole("button", { name: /^Reply/ }).count(), 0, "an org user is not offered to reply");
  await screenshot(host, "6-host-chat");
  await screenshot(guest, "6-guest-chat");
  await Promise.all([assertAccessible(host), assertAccessible(guest)]);
}

/** The host records: the guest is told within a second, for as long as it goes on. */
export async function record({ host, guest }) {
  // The clock starts when the page that sends the request is told that recording is on, and stops when the guest's page shows it.
  await guest.evaluate(() => {
    new MutationObserver(() => {
      if (document.querySelector(".notice.holds")) window.noticeAt ??= Date.now();
    }).observe(document.body, { childList: true, subtree: true });
  });
  await control(host, "More").click();
  await host.evaluate(() => document.querySelector("#more-menu").addEventListener("click", () => (window.recordAt = Date.now()), { capture: true, once: true }));
  await host.getByRole("button", { name: "Start recording" }).click();
  const notice = guest.getByRole("alert").getByText("This meeting is being recorded");
  await notice.waitFor();
  const [asked, shown] = [await host.evaluate(() => window.recordAt), await guest.evaluate(() => window.noticeAt)];
  await screenshot(guest, "7-guest-recording");
  await assertAccessible(guest);
  await control(host, "More").click();
  await host.getByRole("button", { name: "Stop recording" }).click();
  await guest.getByRole("alert").getByText("This meeting is no longer recorded").waitFor();
  await notice.waitFor({ state: "detached" });
  return shown - asked;
}

/** The guest leaves: the chat is gone from the page, and the host's roster too. */
export async function leave({ host, guest }) {
  await control(guest, "Leave").click();
  await guest.getByRole("heading", { name: "You left the meeting" }).waitFor();
  assert.ok(!(await guest.textContent("body")).includes("Good morning"), "the chat is still on the page");
  assert.match(await guest.locator("#support-code").textContent(), /^[0-9a-f-]{36}\/[0-9a-f-]{36}$/);
  await screenshot(guest, "8-guest-left");
  await assertAccessible(guest);
  await host.locator(".tile", { hasText: "Sam Guest" }).waitFor({ state: "detached" });
}
