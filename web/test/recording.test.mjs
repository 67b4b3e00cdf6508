// A real call of two Chromium windows is recorded; the files are downloaded and played in Chromium.
//   ANTEROOM_BIN=… node --test web/test/recording.test.mjs
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { CHROMIUM, awaitFrames, launch, missing, newWindow, screenshot } from "./browser.mjs";
import { enter, openPanel } from "./consultation.mjs";
import { Service, noService } from "./service.mjs";

/** Starts or stops the recording on the host's page. */
async function choose(host, name) {
  await host.locator(".bar").getByRole("button", { name: "More" }).click();
  await host.getByRole("button", { name }).click();
}

/** Plays a file of the service in a page of it, then from its middle on; answers with what was seen. */
function play(page, url, kind) {
  return page.evaluate(async ({ url, kind }) => {
    const player = document.createElement(kind);
    const happens = (event) => new Promise((resolve, reject) => {
      player.addEventListener(event, resolve, { once: true });
      player.addEventListener("error", () => reject(new Error(`${event}: ${player.error?.message}`)), { once: true });
    });
    const reaches = (time) => new Promise((resolve) => {
      const look = () => (player.currentTime >= time ? player.removeEventListener("timeupdate", look) ?? resolve() : undefined);
      player.addEventListener("timeupdate", look);
    });
    Object.assign(player, { muted: true, src: url });
    document.body.replaceChildren(player);
    await happens("loadeddata");
    const { duration } = player;
    const begun = reaches(Math.min(1, duration / 3));
    await player.play();
    await begun;
    const frames = player.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    const seeked = happens("seeked");
    player.currentTime = duration / 2;
    await seeked;
    const goneOn = reaches(duration / 2 + 0.5);
    await goneOn;
    return { duration, frames, width: player.videoWidth ?? 0, height: player.videoHeight ?? 0, more: (player.getVideoPlaybackQuality?.().totalVideoFrames ?? 0) - frames };
  }, { url, kind });
}

describe("A recording of a call in Chromium", { skip: missing(CHROMIUM) || noService() }, () => {
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

  test("Every file of it plays, from the beginning and from the middle", async (t) => {
    const meeting = await service.newMeeting("Recorded consultation");
    const [host, guest] = [await newWindow(browser), await newWindow(browser)];
    t.after(() => Promise.all([host.context.close(), guest.context.close()]));
    await service.signIn(host.page, meeting.join_url, "Dr. Olga Host");
    await enter(guest.page, meeting.join_url, "Sam Guest");
    await enter(host.page, meeting.join_url);
    await openPanel(host.page, "Lobby");
    await host.page.getByRole("button", { name: "Admit Sam Guest" }).click();
    await Promise.all([awaitFrames(host.page), awaitFrames(guest.page)]);
    await choose(host.page, "Start recording");
    await guest.page.getByRole("alert").getByText("This meeting is being recorded").waitFor();
    await Promise.all([awaitFrames(host.page, 120), awaitFrames(guest.page, 120)]);
    await choose(host.page, "Stop recording");
    await guest.page.getByRole("alert").getByText("This meeting is no longer recorded").waitFor();
    await guest.page.locator(".bar").getByRole("button", { name: "Leave" }).click();
    const [call] = (await guest.page.locator("#support-code").textContent()).split("/");

    // The organiser may have them as soon as analytics know whose call it was.
    let answer;
    for (let tries = 0; tries < 150 && answer?.body?.recordings?.[0]?.state !== "finished"; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      answer = await service.api("org_user", "GET", `/v1/calls/${call}/recordings`);
    }
    assert.equal(answer.body.recordings?.[0]?.state, "finished", JSON.stringify(answer));
    const [recording] = answer.body.recordings;
    assert.deepEqual(recording.tracks.map((track) => track.kind).sort(), ["audio", "audio", "video", "video"]);
    assert.equal(new Set(recording.tracks.map((track) => track.participant_id)).size, 2);
    assert.ok(!JSON.stringify(answer).includes("Sam Guest"), "the list has the guest's name");

    // Somebody signed in asks from a page of the service, by the session cookie.
    await host.page.goto(`${service.url}/`, { waitUntil: "networkidle" });
    for (const track of recording.tracks) {
      const url = `${service.url}/v1/calls/${call}/recordings/${recording.recording_id}/files/${track.file}`;
      const response = await host.context.request.get(url);
      assert.equal(response.status(), 200);
      assert.equal(response.headers()["content-type"], track.content_type);
      assert.match(response.headers()["content-disposition"], /^attachment; /);
      assert.equal(createHash("sha256").update(await response.body()).digest("hex"), track.sha256);
      const seen = await play(host.page, url, track.kind);
      t.diagnostic(`${track.kind} ${track.codec}, ${track.duration_ms} ms: ${JSON.stringify(seen)}`);
      assert.ok(Math.abs(seen.duration * 1000 - track.duration_ms) < 100, "another length than listed");
      if (track.kind === "video") {
        assert.ok(seen.width > 0 && seen.height > 0, "no picture");
        assert.ok(seen.frames > 5 && seen.more > 3, `frames were not decoded: ${JSON.stringify(seen)}`);
        await screenshot(host.page, `9-recording-${track.participant_id.slice(0, 4)}`);
      }
    }
    const [track] = recording.tracks;
    const unsigned = await guest.context.request.get(`${service.url}/v1/calls/${call}/recordings/${recording.recording_id}/files/${track.file}`);
    assert.equal(unsigned.status(), 401, "a guest's browser gets the file");
    assert.deepEqual([...host.errors, ...guest.errors], []);
  });
});
