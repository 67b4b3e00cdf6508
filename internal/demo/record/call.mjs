// Drives one call between two contexts of real Chromium, over the relay.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { CLEAR, Relay } from './relay.mjs';

const ORIGIN = 'https://meet.demo.example';
const PAGE = readFileSync(new URL('page.js', import.meta.url), 'utf8');

/**
 * Switches for a call without devices, display, network or user. `--no-sandbox` is
 * needed as root and in most containers; the pages are this script's own.
 */
export const FLAGS = [
  '--no-sandbox',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream=fps=30',
  '--auto-select-desktop-capture-source=Entire screen',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-gpu',
];

const CAMERA = {
  audio: true,
  video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
};
// Screens below 768 lines count as poor (profile call-diagnostics), so ask for more.
const SCREEN = {
  video: { width: { ideal: 1600 }, height: { ideal: 900 }, frameRate: { ideal: 10, max: 10 } },
  audio: false,
};

/** Session descriptions carry gathered candidates on renegotiation: a way around the relay. */
const withoutCandidates = ({ type, sdp }) => ({
  type,
  sdp: sdp.replace(/^a=(candidate:.*|end-of-candidates)\r\n/gm, ''),
});

/** The other side's view of a loopback UDP candidate, or null for every other one. */
export function throughRelay(relay, from, candidate) {
  const words = candidate.candidate.split(' ');
  const isLoopbackUdp = words[2]?.toLowerCase() === 'udp' && words[4] === '127.0.0.1';
  if (!isLoopbackUdp || !relay.register(from, Number(words[5]))) return null;
  const { host, port } = relay.address(1 - from);
  words[4] = host;
  words[5] = String(port);
  return { ...candidate, candidate: words.join(' ') };
}

async function openPage(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  // The page is served from here, so that the origin is secure and nothing leaves the machine.
  await context.route('**/*', (route) => route.fulfill({
    contentType: 'text/html',
    body: '<!doctype html><title>Demonstration call</title><body></body>',
  }));
  await page.addInitScript({ content: PAGE });
  return page;
}

const invoke = (page, method, ...args) => page.evaluate(
  ([name, values]) => window.call[name](...values),
  [method, args],
);

async function negotiate(offerer, answerer) {
  const offer = withoutCandidates(await invoke(offerer, 'offer'));
  const answer = withoutCandidates(await invoke(answerer, 'answer', offer));
  await invoke(offerer, 'accept', answer);
}

async function share(from, to) {
  await invoke(from, 'share', SCREEN);
  await negotiate(from, to);
  for (let tries = 0; tries < 50; tries += 1) {
    const ssrc = await invoke(from, 'screenSsrc');
    if (ssrc !== null) {
      for (const page of [from, to]) await invoke(page, 'videoType', ssrc, 'desktop');
      return;
    }
    await sleep(100);
  }
  throw new Error('the screen share never began to send');
}

async function unshare(from, to) {
  await invoke(from, 'unshare');
  await negotiate(from, to);
}

/** Runs what is due at its second; the call's length doesn't depend on how long the steps take. */
async function follow(timeline, report) {
  const start = performance.now();
  for (const { at, what, run } of timeline) {
    await sleep(Math.max(0, at * 1000 - (performance.now() - start)));
    report(`${at} s: ${what}`);
    await run();
  }
}

function timelineOf(call, relay, guest, host) {
  const s = (fraction) => Math.round(call.seconds * fraction);
  const steps = [
    { at: s(0.15), what: 'the guest shares a screen', run: () => share(guest, host) },
    { at: s(0.45), what: 'the guest stops sharing', run: () => unshare(guest, host) },
    { at: s(0.55), what: 'the host shares a screen', run: () => share(host, guest) },
    { at: s(0.85), what: 'the host stops sharing', run: () => unshare(host, guest) },
    { at: call.seconds, what: 'the guest hangs up', run: async () => {} },
  ];
  for (const { from, to, ...impairment } of call.trouble) {
    const { loss, delayMs, jitterMs } = impairment;
    const what = `trouble begins: loss ${loss}, delay ${delayMs} ms, jitter ±${jitterMs} ms, each way`;
    steps.push({ at: s(from), what, run: async () => relay.impair(impairment) });
    steps.push({ at: s(to), what: 'trouble ends', run: async () => relay.impair(CLEAR) });
  }
  return steps.sort((a, b) => a.at - b.at);
}

/**
 * Runs a call and gives back what the guest's page recorded and what the relay counted.
 * @param {import('playwright-core').Browser} browser
 * @param {{name: string, seconds: number, seed: number, trouble: Array}} call
 * @param {(line: string) => void} report progress
 */
export async function runCall(browser, call, report) {
  const relay = await Relay.open(call.seed);
  const pages = [];
  try {
    for (const side of [0, 1]) {
      pages.push(await openPage(browser));
      await pages[side].exposeFunction('signal', async (candidate) => {
        const seen = throughRelay(relay, side, candidate);
        if (seen) await invoke(pages[1 - side], 'candidate', seen);
      });
      await pages[side].goto(`${ORIGIN}/${call.name}`);
    }
    const [guest, host] = pages;
    await invoke(guest, 'start', CAMERA);
    await invoke(host, 'start', CAMERA);
    await negotiate(guest, host);
    await Promise.all(pages.map((page) => invoke(page, 'connected')));
    await follow(timelineOf(call, relay, guest, host), report);
    const recorded = await invoke(guest, 'hangUp');
    await invoke(host, 'hangUp');
    const [sent, received] = relay.counts();
    return { recorded, truth: { seed: call.seed, seconds: call.seconds, trouble: call.trouble, sent, received } };
  } finally {
    await Promise.all(pages.map((page) => page.context().close()));
    relay.close();
  }
}
