// A real Chromium with fake devices, and what tests do with its pages.
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why a test can't run here; under CI=true nothing may be missing, so that it fails instead. */
export function missing(program) {
  return existsSync(program) || process.env.CI === "true" ? false : `${program} is not installed`;
}

const OPTIONS = {
  executablePath: CHROMIUM,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=30", "--auto-select-desktop-capture-source=Entire screen",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
  ],
};

export function launch() {
  return chromium.launch(OPTIONS);
}

/** A browser that keeps what it stores in the folder, as a person's own does. */
export function launchProfile(folder) {
  return chromium.launchPersistentContext(folder, { ...OPTIONS, viewport: { width: 1280, height: 800 } });
}

/** A window of its own with nobody signed in; its peer connections can be asked for statistics, and what goes wrong in it fails the test. */
export async function newWindow(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  await context.addInitScript(() => {
    const Native = RTCPeerConnection;
    window.peers = [];
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
      constructor(...args) {
        super(...args);
        window.sockets.push(this);
        this.addEventListener("message", ({ data }) => (window.resumeToken = JSON.parse(data).body?.resume_token ?? window.resumeToken));
      }
    };
    window.RTCPeerConnection = class extends Native {
      constructor(...args) {
        super(...args);
        window.peers.push(this);
      }
    };
  });
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.stack ?? String(error)));
  page.on("console", (message) => {
    // A refused request is also an error of the console; the page shows it in its own words.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(message.text());
  });
  return { context, page, errors };
}

/** Frames decoded so far by all that the page receives. */
export function framesDecoded(page) {
  return page.evaluate(async () => {
    let frames = 0;
    for (const peer of window.peers) {
      if (peer.signalingState === "closed") continue;
      for (const stats of (await peer.getStats()).values()) frames += stats.type === "inbound-rtp" ? (stats.framesDecoded ?? 0) : 0;
    }
    return frames;
  });
}

/** Waits until `more` further frames were decoded. */
export async function awaitFrames(page, more = 30) {
  const before = await framesDecoded(page);
  const deadline = Date.now() + 30_000;
  for (;;) {
    const now = await framesDecoded(page);
    if (now >= before + more) return;
    assert.ok(Date.now() < deadline, `only ${now - before} frames were decoded in 30 s`);
    await page.waitForTimeout(250);
  }
}

/** Heights in pixels of the pictures of others that the page decodes now. */
function heights(page) {
  return page.evaluate(async () => {
    const found = [];
    for (const peer of window.peers) {
      if (peer.signalingState === "closed") continue;
      for (const stats of (await peer.getStats()).values()) if (stats.type === "inbound-rtp" && stats.kind === "video") found.push(stats.frameHeight ?? 0);
    }
    return found;
  });
}

/** Waits until the one picture that the page gets has a height that fits. */
export async function awaitHeight(page, what, fits) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const now = await heights(page);
    if (now.length === 1 && fits(now[0])) return now[0];
    assert.ok(Date.now() < deadline, `pictures of ${now.join(", ")} lines came, and none of ${what}`);
    await page.waitForTimeout(250);
  }
}

/** Takes a screenshot if ANTEROOM_SCREENSHOTS names a folder. */
export async function screenshot(page, name) {
  const folder = process.env.ANTEROOM_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}

/** Fails if the page has anything that the accessibility rules of axe-core object to. */
export async function assertAccessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, [], `${page.url().split("#")[0]} is not accessible`);
}

/**
 * Sends requests over a connection of the page's own, one after the other, and answers with each one's reason of refusal, or "" where it was granted.
 */
export function ask(page, requests) {
  return page.evaluate(async (requests) => {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/v1/connect`, "anteroom.v1");
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    const reasons = [];
    for (const [index, [type, body]] of requests.entries()) {
      const reply = new Promise((resolve) => {
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.type === "reply" && frame.id === index + 1) resolve(frame);
        };
        socket.onclose = () => resolve({ error: { reason: "closed" } });
      });
      socket.send(JSON.stringify({ type, id: index + 1, body }));
      reasons.push((await reply).error?.reason ?? "");
    }
    socket.close();
    return reasons;
  }, requests);
}
