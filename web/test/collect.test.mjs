// Clients of other systems in a real Chromium send what they measure while their calls go on: Jitsi's rtcstats client from npm, a client that speaks
// rtcstats#5.0, and a page that posts batches of getStats. The page is of another origin, which the resource has registered.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { CHROMIUM, launch, missing, newWindow } from "./browser.mjs";
import { Service, noService } from "./service.mjs";

const web = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");

describe("Statistics from Chromium", { skip: missing(CHROMIUM) || noService() }, () => {
  let service;
  let browser;
  let site;
  let origin;
  let resource;
  let key;
  let client;

  before(async () => {
    site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>Another system</title>"));
    await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${site.address().port}`;
    [service, browser] = await Promise.all([Service.start(), launch()]);
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    key = privateKey;
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" }] };
    const { status, body } = await service.api("admin", "POST", "/v1/resources", { name: "Other system", region: "amer", keys, origins: [origin] });
    assert.equal(status, 201, JSON.stringify(body));
    resource = body.id;
    const bundle = await build({
      stdin: { contents: 'import init from "@jitsi/rtcstats/rtcstats"; import trace from "@jitsi/rtcstats/trace-ws"; window.rtcstats = { init, trace };', resolveDir: web },
      // What the client imports here is a folder, which newer versions of the other package don't export as such.
      alias: { "@jitsi/js-utils/browser-detection": "@jitsi/js-utils/browser-detection/index.js" },
      absWorkingDir: web, bundle: true, format: "iife", write: false, logLevel: "warning",
    });
    client = bundle.outputFiles[0].text;
  });

  after(async () => {
    await browser?.close();
    await service?.stop();
    site?.close();
  });

  function token() {
    return new SignJWT({}).setProtectedHeader({ alg: "ES256", kid: "k1", typ: "JWT" }).setIssuer(resource).setAudience("anteroom").setSubject("user-7")
      .setJti(crypto.randomUUID()).setIssuedAt().setExpirationTime("5m").sign(key);
  }

  /** A page of the other system. */
  async function page(t) {
    const window = await newWindow(browser);
    t.after(() => window.context.close());
    await window.page.goto(origin);
    // A call within the page: what one peer connection sends the other receives.
    await window.page.addScriptTag({ content: `window.call = ${call}` });
    return window;
  }

  /** Runs in the page. */
  async function call() {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
    from.onicecandidate = ({ candidate }) => candidate && to.addIceCandidate(candidate);
    to.onicecandidate = ({ candidate }) => candidate && from.addIceCandidate(candidate);
    for (const track of media.getTracks()) from.addTrack(track, media);
    await from.setLocalDescription(await from.createOffer());
    await to.setRemoteDescription(from.localDescription);
    await to.setLocalDescription(await to.createAnswer());
    await from.setRemoteDescription(to.localDescription);
    return { from, to };
  }

  /** Asks for a call's streams until they are as wanted. */
  async function streams(id, what, good) {
    let last;
    for (let tries = 0; tries < 300; tries++) {
      last = await service.api("admin", "GET", `/v1/calls/${id}/streams`);
      if (last.status === 200 && good(last.body.streams)) return last.body.streams;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.fail(`${what}: not so; last: ${JSON.stringify(last.body)}`);
  }

  test("Jitsi's client sends its call, is cut off, goes on, and ends it", async (t) => {
    const { page: tab, errors } = await page(t);
    await tab.addScriptTag({ content: client });
    const endpoint = `${service.url.replace("http", "ws")}/v1/collect/rtcstats`;
    await tab.evaluate(async ({ endpoint, token }) => {
      window.heard = [];
      window.trace = window.rtcstats.trace({ endpoint, meetingFqn: token, pingInterval: 5000, onCloseCallback: (event) => window.heard.push(["close", event]) });
      window.rtcstats.init(window.trace, { pollInterval: 1000, sendSdp: true });
      window.trace.identity("identity", null, { displayName: "Zebulon Quimby", confName: "x" });
      window.trace.connect(false);
      window.sockets.at(-1).addEventListener("message", ({ data }) => window.heard.push(JSON.parse(data)));
      window.running = await window.call();
    }, { endpoint, token: await token() });
    await tab.waitForFunction(() => window.heard.some(({ type }) => type === "call"), null, { timeout: 30_000 });
    const { call_id: id, support_code: code } = await tab.evaluate(() => window.heard.find(({ type }) => type === "call").body);
    assert.ok(code.startsWith(`${id}/`));
    // While the call goes on nothing is said of its guests; what was sent by now is asked for at its end.
    await tab.waitForTimeout(3000);
    // The network goes: as far as client and server can tell, for good. The client comes back by itself, within eleven seconds.
    await tab.evaluate(() => window.sockets.at(-1).close(4000));
    await tab.waitForFunction(() => window.trace.isConnected() && window.sockets.length > 1, null, { timeout: 30_000 });
    await tab.waitForTimeout(3000);
    const last = await tab.evaluate(async () => {
      for (const sender of window.running.from.getSenders()) sender.track.stop();
      await new Promise((resolve) => setTimeout(resolve, 2500)); // The client has asked for statistics since.
      const packets = {};
      for (const stats of (await window.running.to.getStats()).values()) if (stats.type === "inbound-rtp") packets[stats.kind] = stats.packetsReceived;
      window.trace.close();
      return packets;
    });
    const all = await streams(id, "summaries after the end", (found) => found.length === 4 && found.every((s) => !s.partial));
    for (const media of ["audio", "video"]) {
      const [received] = all.filter((s) => s.media === media && s.direction === "inbound");
      assert.equal(received.participant_label, "Anonymous");
      // A stopped track sends silence: a few packets may have come since the client's last look.
      assert.ok(received.packets <= last[media] && received.packets >= last[media] - 150, `${received.packets} packets of ${media}, the browser received ${last[media]}`);
    }
    const { body } = await service.api("admin", "GET", `/v1/calls/${id}`);
    assert.ok(body.ended_at, JSON.stringify(body));
    assert.ok(!JSON.stringify([body, all]).includes("Zebulon"));
    t.diagnostic(`${all.length} streams, ${JSON.stringify(last)}`);
    assert.deepEqual(errors, []);
  });

  test("A client of rtcstats#5.0 sends its call", async (t) => {
    const { page: tab, errors } = await page(t);
    const url = `${service.url.replace("http", "ws")}/v1/collect/rtcstats?rtcstats-token=${await token()}`;
    const id = await tab.evaluate(async (url) => {
      const socket = new WebSocket(url, "rtcstats#5.0");
      const told = new Promise((resolve) => socket.addEventListener("message", ({ data }) => resolve(JSON.parse(data).body.call_id)));
      await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
      let before = 0;
      const send = (...entry) => {
        const now = Date.now();
        socket.send(JSON.stringify([...entry, now - before]));
        before = now;
      };
      send("create", null, { hardwareConcurrency: 4 });
      send(39, "1", {});
      const { to } = await window.call();
      send(25, "1", "connected");
      let old = {};
      for (let i = 0; i < 13; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const now = Object.fromEntries([...(await to.getStats())].map(([name, stats]) => [name, { ...stats }]));
        const changed = {};
        for (const [name, stats] of Object.entries(now)) {
          changed[name] = Object.fromEntries(Object.entries(stats).filter(([property, value]) => property !== "timestamp" && property !== "id" && old[name]?.[property] !== value));
        }
        for (const name of Object.keys(old)) if (!now[name]) changed[name] = null;
        send("g", "1", { t: Date.now(), ...changed });
        old = now;
      }
      send(36, "1");
      socket.close();
      return told;
    }, url);
    const all = await streams(id, "summaries after the end", (found) => found.length === 2 && found.every((s) => !s.partial && s.packets > 100));
    assert.deepEqual(all.map((s) => [s.media, s.direction, s.participant_label]).sort(), [["audio", "inbound", "Anonymous"], ["video", "inbound", "Anonymous"]]);
    assert.deepEqual(errors, []);
  });

  test("What was acknowledged is there after a crash", async () => {
    const [authorization, session_id] = [`Bearer ${await token()}`, crypto.randomUUID()];
    const from = Date.now() - 60_000;
    let receipt;
    for (let sequence = 1; sequence <= 3; sequence++) {
      const entries = [];
      for (let i = 5 * (sequence - 1); i < 5 * sequence; i++) {
        const stats = [{ id: "IT01", type: "inbound-rtp", kind: "audio", ssrc: 7, packetsReceived: 50 * i, packetsLost: i, bytesReceived: 5000 * i }];
        entries.push({ at_ms: from + 1000 * i, peer_connection: "pc", stats });
      }
      const response = await fetch(`${service.url}/v1/collect`, {
        method: "POST", headers: { authorization, "content-type": "application/json" }, body: JSON.stringify({ session_id, sequence, entries, ended: sequence === 3 }),
      });
      receipt = await response.json();
      assert.equal(receipt.acknowledged, sequence, JSON.stringify(receipt));
    }
    await service.crash();
    let body;
    for (let tries = 0; tries < 300; tries++) {
      body = (await service.api("admin", "GET", `/v1/calls/${receipt.call_id}`)).body;
      if (body.ended_at) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(body.call_id, receipt.call_id, JSON.stringify(body));
    assert.ok(body.ended_at, JSON.stringify(body));
    const [received] = await streams(receipt.call_id, "what was acknowledged", (found) => found.length === 1 && !found[0].partial);
    assert.equal(received.packets, 700, JSON.stringify(received));
  });

  test("A page posts batches of getStats", async (t) => {
    const { page: tab, errors } = await page(t);
    const answers = await tab.evaluate(async ({ url, token }) => {
      const { to } = await window.call();
      const session_id = crypto.randomUUID();
      const answers = [];
      for (let sequence = 1; sequence <= 3; sequence++) {
        const entries = [];
        for (let i = 0; i < 3; i++) {
          await new Promise((resolve) => setTimeout(resolve, 1000));
          entries.push({ at_ms: Date.now(), peer_connection: "to", connection_state: to.connectionState, stats: [...(await to.getStats()).values()] });
        }
        const response = await fetch(`${url}/v1/collect`, {
          method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify({ session_id, sequence, entries, ended: sequence === 3 }),
        });
        answers.push({ status: response.status, ...(await response.json()) });
      }
      return answers;
    }, { url: service.url, token: await token() });
    assert.deepEqual(answers.map(({ status, acknowledged }) => [status, acknowledged]), [[200, 1], [200, 2], [200, 3]], JSON.stringify(answers));
    const all = await streams(answers[0].call_id, "summaries", (found) => found.length === 2 && found.every((s) => !s.partial && s.packets > 50));
    assert.ok(all.every((s) => s.participant_label === "Anonymous"));
    assert.deepEqual(errors, []);
  });
});
