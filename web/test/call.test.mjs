// Two real Chromium windows in a real meeting: an org user and a guest, with fake cameras and microphones.
//   ANTEROOM_BIN=… ANTEROOM_SCREENSHOTS=folder node --test web/test/call.test.mjs
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { CHROMIUM, ask, assertAccessible, awaitFrames, launch, missing, newWindow, screenshot } from "./browser.mjs";
import { chat, enter, fitTile, leave, openPanel, record, seeEachOther, shareScreen, waitAndAdmit } from "./consultation.mjs";
import { Service, noService } from "./service.mjs";

const HOST = "Dr. Olga Host";

describe("A call in Chromium", { skip: missing(CHROMIUM) || noService() }, () => {
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

  /** Two windows before a new meeting's door: one signed in, one not. */
  async function windows(t, title, options = {}) {
    const meeting = await service.newMeeting(title);
    const [host, guest] = [await newWindow(browser), await newWindow(browser, options)];
    t.after(() => Promise.all([host.context.close(), guest.context.close()]));
    await service.signIn(host.page, meeting.join_url, HOST);
    return { host: host.page, guest: guest.page, link: meeting.join_url, meeting, errors: () => [...host.errors, ...guest.errors] };
  }

  test("An org user and a guest meet: lobby, pictures, screen, chat, notice, leaving", async (t) => {
    const who = await windows(t, "Consultation 4711");
    let supportCode;
    await t.test("The guest waits for a host, then in the lobby, and is admitted", () => waitAndAdmit(who));
    await t.test("Frames arrive both ways", () => seeEachOther(who));
    await t.test("The picture is as large as its tile", async (t) => t.diagnostic(`${await fitTile(who)} lines`));
    await t.test("The guest's screen is seen", () => shareScreen(who));
    await t.test("Chat goes both ways, with typing and receipts", () => chat(who));
    await t.test("The guest is told of a recording within a second", async (t) => {
      // Figures for the reader: how long it took depends on the machine.
      t.diagnostic(`notice shown ${await record(who)} ms after the click`);
    });
    await t.test("The guest leaves and has no chat any more", async () => {
      supportCode = await who.guest.locator("#support-code").textContent();
      await leave(who);
    });
    await t.test("Chat is refused afterwards, to whoever comes with the place of before, without one, or as somebody new", async () => {
      const resume = ["resume", { resume_token: await who.guest.evaluate(() => window.resumeToken) }];
      const history = ["chat_history", { limit: 50 }];
      assert.deepEqual(await ask(who.guest, [resume, history]), ["resume_expired", "not_joined"]);
      const { guest_token } = await (await who.guest.request.post(`${service.url}/v1/join-page/token`)).json();
      const [, secret] = who.link.split("#");
      const join = ["join", { meeting: who.meeting.id, secret, guest_token, display_name: "Sam Guest", client: {} }];
      assert.deepEqual(await ask(who.guest, [join, history, ["chat_send", { text: "Still there?" }]]), ["", "not_admitted", "not_admitted"]);
    });
    await t.test("Analytics have the guest's streams as Anonymous", async (t) => {
      const [call] = supportCode.split("/");
      await who.host.locator(".bar").getByRole("button", { name: "More" }).click();
      await who.host.getByRole("button", { name: "End the meeting for everybody" }).click();
      await who.host.getByRole("dialog").getByRole("button", { name: "End the meeting" }).click();
      await who.host.getByRole("heading", { level: 1, name: "You ended the meeting for everybody" }).waitFor();
      // Events go through Kafka into ClickHouse: they are there soon, not at once.
      let streams;
      for (let tries = 0; tries < 100 && !JSON.stringify(streams?.body ?? "").includes("Anonymous"); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        streams = await service.api("admin", "GET", `/v1/calls/${call}/streams`);
      }
      const text = JSON.stringify(streams.body);
      assert.equal(streams.status, 200, text);
      assert.match(text, /Anonymous/);
      assert.ok(!text.includes("Sam Guest"), "the guest's name is in call analytics");
      t.diagnostic(`${streams.body.streams?.length ?? streams.body.items?.length} streams`);
    });
    assert.deepEqual(who.errors(), []);
  });

  test("Whoever was in the call rates it, once, in it or after it", async (t) => {
    const who = await windows(t, "How was it?");
    const late = await newWindow(browser);
    t.after(() => late.context.close());
    await enter(who.host, who.link);
    await who.host.locator(".call").waitFor();
    for (const [page, name] of [[who.guest, "Sam Guest"], [late.page, "Kim Late"]]) {
      await enter(page, who.link, name);
      await page.getByRole("heading", { name: "You are in the lobby" }).waitFor();
    }
    await openPanel(who.host, "Lobby");
    await who.host.getByRole("button", { name: "Admit Sam Guest" }).click();
    await who.guest.locator(".call").waitFor();
    const call = (await who.guest.locator("#support-code").first().textContent()).split("/")[0];
    const rate = (page, overall) =>
      page.evaluate(async ([call, overall]) => {
        const headers = { "Anteroom-Participant-Token": window.resumeToken, "content-type": "application/json" };
        const response = await fetch(`/v1/calls/${call}/survey`, { method: "POST", headers, body: JSON.stringify({ ratings: { overall } }) });
        return response.status;
      }, [call, overall]);
    const control = (page, name) => page.locator(".bar").getByRole("button", { name });

    assert.equal(await rate(late.page, 1), 403, "somebody in the lobby rates");
    assert.equal(await rate(who.guest, 2), 204);
    assert.equal(await rate(who.guest, 5), 429, "the guest rates twice");
    await control(who.guest, "Leave").click();
    await who.guest.getByRole("heading", { name: "You left the meeting" }).waitFor();
    assert.equal(await rate(who.guest, 5), 429, "the guest rates again after leaving");
    await who.host.getByRole("button", { name: /^Reject/ }).click();
    await late.page.getByRole("heading", { name: "You were not let in" }).waitFor();
    assert.equal(await rate(late.page, 1), 403, "somebody who was not let in rates");
    await control(who.host, "Leave").click();
    await who.host.getByRole("heading", { name: "You left the meeting" }).waitFor();
    assert.equal(await rate(who.host, 4), 204, "the host can't rate after leaving");
    assert.equal(await rate(who.host, 1), 429, "the host rates twice");
    assert.deepEqual([...who.errors(), ...late.errors], []);
  });

  test("On a phone the guest is rejected, and told what to do", async (t) => {
    const who = await windows(t, "Walk-in", { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
    await enter(who.host, who.link);
    await who.host.locator(".call").waitFor();
    await enter(who.guest, who.link, "Maximiliane Charlotte von Hohenzollern-Sigmaringen-Wittgenstein the Younger");
    await who.guest.getByRole("heading", { name: "You are in the lobby" }).waitFor();
    await openPanel(who.host, "Lobby");
    await screenshot(who.host, "20-lobby-long-name");
    await who.host.getByRole("button", { name: /^Reject/ }).click();
    await who.guest.getByRole("heading", { name: "You were not let in" }).waitFor();
    await screenshot(who.guest, "21-phone-rejected");
    await assertAccessible(who.guest);
    assert.deepEqual(who.errors(), []);
  });

  test("A connection that breaks is taken up again, and media goes on", async (t) => {
    const who = await windows(t, "Shaky network");
    await enter(who.guest, who.link, "Sam Guest");
    await enter(who.host, who.link);
    await openPanel(who.host, "Lobby");
    await who.host.getByRole("button", { name: "Admit Sam Guest" }).click();
    await Promise.all([awaitFrames(who.host), awaitFrames(who.guest)]);
    // The page closes its own sockets: as far as server and library can tell, the network did.
    await who.guest.evaluate(() => window.sockets.forEach((socket) => socket.close()));
    await who.guest.getByText("Connecting again").waitFor();
    await who.guest.getByText("Connecting again").waitFor({ state: "detached" });
    await Promise.all([awaitFrames(who.host), awaitFrames(who.guest)]);
    assert.equal(await who.host.locator(".tile", { hasText: "Sam Guest" }).count(), 1);
    assert.deepEqual(who.errors(), []);
  });

  test("Whoever joins before the camera is open has it on all the same, and what was switched off meanwhile stays off", async (t) => {
    const who = await windows(t, "In a hurry");
    for (const page of [who.host, who.guest]) {
      await page.context().addInitScript(() => {
        const devices = navigator.mediaDevices;
        const open = devices.getUserMedia.bind(devices);
        window.cameras = [];
        devices.getUserMedia = async (constraints) => {
          await new Promise((resolve) => setTimeout(resolve, 1000));
          const stream = await open(constraints);
          window.cameras.push(...stream.getVideoTracks());
          return stream;
        };
      });
    }
    const live = (page) => page.evaluate(() => window.cameras.filter((track) => track.readyState === "live").length);
    await who.host.reload();
    await who.host.getByRole("button", { name: "Join", exact: true }).click();
    await who.host.locator(".call").waitFor();
    await who.guest.goto(who.link);
    await who.guest.getByLabel("Your name").fill("Sam Guest");
    await who.guest.getByLabel("Camera on").uncheck();
    await who.guest.locator("#device-camera option", { hasText: "fake" }).first().waitFor({ state: "attached" });
    assert.equal(await who.guest.getByLabel("Camera on").isChecked(), false);
    assert.equal(await live(who.guest), 0);
    await who.guest.getByLabel("Camera on").check();
    await who.guest.waitForTimeout(100);
    await who.guest.getByLabel("Camera on").uncheck();
    await who.guest.waitForTimeout(1500);
    assert.equal(await live(who.guest), 0, "the guest's camera is on, and was switched off");
    await who.guest.getByLabel("Camera on").check();
    await who.guest.getByRole("button", { name: "Join", exact: true }).click();
    await openPanel(who.host, "Lobby");
    await who.host.getByRole("button", { name: "Admit Sam Guest" }).click();
    await Promise.all([awaitFrames(who.host), awaitFrames(who.guest)]);
    assert.deepEqual([await live(who.host), await live(who.guest)], [1, 1]);
    // On a phone as on a desktop, no tile shows a mere strip of its picture.
    for (const [width, height] of [[360, 740], [1280, 800]]) {
      await who.guest.setViewportSize({ width, height });
      await who.guest.waitForFunction(() => [...document.querySelectorAll(".tile")].map((tile) => tile.clientWidth / tile.clientHeight).every((ratio) => ratio > 0.8 && ratio < 3));
      await screenshot(who.guest, `25-guest-call-${width}`);
    }
    assert.deepEqual(who.errors(), []);
  });

  /** The name of what has the focus. */
  const focused = (page) => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? (document.activeElement === document.body ? "body" : document.activeElement.textContent));

  test("The keyboard stays in the lobby's list when somebody is let in", async (t) => {
    const who = await windows(t, "By keyboard");
    const third = await newWindow(browser);
    t.after(() => third.context.close());
    await enter(who.host, who.link);
    await who.host.locator(".call").waitFor();
    for (const [page, name] of [[who.guest, "Sam Guest"], [third.page, "Toni Guest"]]) {
      await enter(page, who.link, name);
      await page.getByRole("heading", { name: "You are in the lobby" }).waitFor();
    }
    await openPanel(who.host, "Lobby");
    for (const [name, next] of [["Admit Sam Guest", "Admit Toni Guest"], ["Reject Toni Guest", "Lobby"]]) {
      await who.host.getByRole("button", { name }).press("Enter");
      await who.host.getByRole("button", { name }).waitFor({ state: "detached" });
      assert.equal(await focused(who.host), next);
    }
    assert.deepEqual([...who.errors(), ...third.errors], []);
  });

  test("A page that is loaded anew comes back to its place: waiting, then in the call with its camera", async (t) => {
    const who = await windows(t, "Reloaded");
    await enter(who.guest, who.link, "Sam Guest");
    await who.guest.getByRole("heading", { name: "Waiting for the host" }).waitFor();
    const place = () => who.guest.locator("#support-code").textContent();
    const before = await place();
    await who.guest.reload();
    await who.guest.getByRole("heading", { name: "Waiting for the host" }).waitFor();
    assert.equal(await place(), before);
    await enter(who.host, who.link);
    await openPanel(who.host, "Lobby");
    await who.host.getByRole("button", { name: "Admit Sam Guest" }).click();
    await Promise.all([awaitFrames(who.host), awaitFrames(who.guest)]);
    for (const page of [who.guest, who.host]) {
      await page.reload();
      await page.locator(".call").waitFor();
      await Promise.all([awaitFrames(who.host), awaitFrames(who.guest)]);
      assert.equal(await who.host.locator(".tile").count(), 2);
    }
    assert.equal(await place(), before);
    assert.equal(await who.host.locator(".tile.self").getByText(HOST).count(), 1);
    assert.equal(await who.host.locator(".tile.self").getByText("Hand raised").count(), 0);
    await who.host.locator(".bar").getByRole("button", { name: "Raise hand" }).click();
    await who.host.locator(".tile.self").getByText("Hand raised").waitFor();
    await who.host.reload();
    await who.host.locator(".tile.self").getByText("Hand raised").waitFor();
    await who.host.locator(".bar").getByRole("button", { name: "Lower hand" }).waitFor();
    await openPanel(who.host, "People");
    await screenshot(who.host, "24-host-people");
    await who.host.getByRole("button", { name: "Mute Sam Guest" }).press("Enter");
    await who.host.getByRole("button", { name: "Mute Sam Guest" }).waitFor({ state: "detached" });
    assert.equal(await focused(who.host), "Remove Sam Guest");
    await who.guest.locator(".bar").getByRole("button", { name: "Leave" }).click();
    await who.guest.getByRole("heading", { name: "You left the meeting" }).waitFor();
    await who.host.locator(".people li", { hasText: "Sam Guest" }).waitFor({ state: "detached" });
    assert.equal(await focused(who.host), "People");
    await who.guest.reload();
    await who.guest.getByLabel("Your name").waitFor();
    assert.deepEqual(who.errors(), []);
  });

  test("A picture that takes its time is not given up", async (t) => {
    const who = await windows(t, "Slow network");
    await who.guest.context().addInitScript(() => {
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
        // Longer than the library waits before it says how much room there is.
        if (description.type === "offer") await new Promise((resolve) => setTimeout(resolve, 1500));
        return set.call(this, description);
      };
    });
    await enter(who.guest, who.link, "Sam Guest");
    await enter(who.host, who.link);
    await openPanel(who.host, "Lobby");
    await who.host.getByRole("button", { name: "Admit Sam Guest" }).click();
    await awaitFrames(who.guest);
    assert.deepEqual(who.errors(), []);
  });

  test("Somebody signed in joins as a guest from a second window", async (t) => {
    const who = await windows(t, "Twice");
    await enter(who.host, who.link);
    await who.host.locator(".call").waitFor();
    const second = await who.host.context().newPage();
    await second.goto(who.link);
    await second.getByText(`You join as ${HOST}`).waitFor();
    await screenshot(second, "22-signed-in");
    await second.getByRole("button", { name: "Join as a guest instead" }).click();
    await second.getByLabel("Your name").fill("Sam Guest");
    await assertAccessible(second);
    await screenshot(second, "23-as-guest");
    await second.getByRole("button", { name: "Join", exact: true }).click();
    await second.getByRole("heading", { name: "You are in the lobby" }).waitFor();
    await openPanel(who.host, "Lobby");
    await who.host.locator(".lobby li", { hasText: "Sam Guest" }).getByText("External").waitFor();
    await second.getByRole("button", { name: "Leave" }).click();
    await second.getByRole("button", { name: "Join again" }).click();
    await second.getByRole("button", { name: "Sign out" }).click();
    await second.getByLabel("Your name").waitFor();
    await second.getByRole("link", { name: "Sign in" }).waitFor();
    assert.deepEqual(who.errors(), []);
  });

  test("A link that leads nowhere says so", async (t) => {
    const { context, page } = await newWindow(browser);
    t.after(() => context.close());
    await page.goto(`${service.url}/join/5f0c1a52-6f2b-4f7e-9d3c-1f6f0e6d7a11#wrong`);
    await page.getByRole("heading", { name: "There is no such meeting" }).waitFor();
    await assertAccessible(page);
    await page.goto(`${service.url}/join/5f0c1a52-6f2b-4f7e-9d3c-1f6f0e6d7a11`);
    await page.reload();
    await page.getByRole("heading", { name: "This link is not complete" }).waitFor();
  });
});
