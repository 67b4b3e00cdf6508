// A guest in stock Firefox ESR, driven over WebDriver BiDi, meets an org user in Chromium.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import puppeteer from "puppeteer-core";
import { CHROMIUM, awaitFrames, launch, missing, newWindow } from "./browser.mjs";
import { enter, openPanel } from "./consultation.mjs";
import { Service, noService } from "./service.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const TIMEOUT_MS = 30_000;

describe("A call with Firefox", { skip: missing(FIREFOX) || missing(CHROMIUM) || noService() }, () => {
  let service;
  let chromium;
  let firefox;

  before(async () => {
    service = await Service.start();
    chromium = await launch();
    firefox = await puppeteer.launch({
      browser: "firefox",
      executablePath: FIREFOX,
      headless: true,
      extraPrefsFirefox: {
        "media.navigator.streams.fake": true,
        "media.navigator.permission.disabled": true,
        "media.autoplay.default": 0,
        // Addresses on loopback, unhidden: both browsers and the service are on this machine.
        "media.peerconnection.ice.obfuscate_host_addresses": false,
        "media.peerconnection.ice.loopback": true,
      },
    });
  });

  after(async () => {
    await firefox?.close();
    await chromium?.close();
    await service?.stop();
  });

  test("Frames arrive both ways, and chat does", async (t) => {
    const meeting = await service.newMeeting("Two browsers");
    const host = await newWindow(chromium);
    t.after(() => host.context.close());
    await service.signIn(host.page, meeting.join_url, "Dr. Olga Host");
    await enter(host.page, meeting.join_url);
    await host.page.locator(".call").waitFor();

    const guest = await firefox.newPage();
    guest.setDefaultTimeout(TIMEOUT_MS);
    const errors = [];
    guest.on("pageerror", (error) => errors.push(String(error)));
    await guest.goto(meeting.join_url);
    await guest.locator("#name").fill("Fox Guest");
    await guest.waitForFunction(() => document.querySelector(".mirror-note")?.hidden);
    await guest.locator("button[type=submit]").click();
    await openPanel(host.page, "Lobby");
    await host.page.getByRole("button", { name: "Admit Fox Guest" }).click();
    await guest.waitForSelector(".call");

    await awaitFrames(host.page);
    await guest.waitForFunction(() => {
      const video = document.querySelector(".tile:not(.self) video");
      return video && video.checkVisibility({ visibilityProperty: true }) && video.currentTime > 1 && video.videoWidth > 0;
    });
    await openPanel(host.page, "Chat");
    await host.page.getByRole("textbox", { name: "Message" }).fill("Hello Firefox");
    await host.page.getByRole("textbox", { name: "Message" }).press("Enter");
    await guest.locator(".bar button[aria-controls=panel] ::-p-text(Chat)").click();
    await guest.waitForFunction(() => document.querySelector(".message-text")?.textContent === "Hello Firefox");
    await guest.locator("#chat-text").fill("Hello Chromium");
    await guest.locator(".composer button[type=submit]").click();
    await host.page.locator(".message", { hasText: "Hello Chromium" }).waitFor();
    assert.deepEqual([...errors, ...host.errors], []);
  });
});
