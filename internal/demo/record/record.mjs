#!/usr/bin/env node
// Records the demonstration calls. See README.md beside this file.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { chromium } from 'playwright-core';

import { FLAGS, runCall } from './call.mjs';
import { checkPrivate, dump } from './dump.mjs';
import { summarize } from './summary.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Phases are fractions of the call's length. Long enough that whole-call averages show them. */
const CALLS = [
  { name: 'clean', meetingId: '5f0c6a54-0c1e-4d3e-9d53-00000000c1ea', seed: 20260101, trouble: [] },
  {
    name: 'impaired',
    meetingId: '5f0c6a54-0c1e-4d3e-9d53-00000000bad0',
    seed: 20260102,
    trouble: [{ from: 0.04, to: 0.96, loss: 0.16, delayMs: 345, jitterMs: 150 }],
  },
];

/** Debian's package is called chromium; CHROMIUM names any other. */
function findChromium() {
  const wanted = process.env.CHROMIUM ?? 'chromium';
  if (wanted.includes('/')) {
    if (existsSync(wanted)) return wanted;
    throw new Error(`CHROMIUM names ${wanted}, which does not exist`);
  }
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, wanted);
    if (existsSync(file)) return file;
  }
  throw new Error(`no ${wanted} on PATH: install it (on Debian: apt-get install chromium) or name one in CHROMIUM`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: path.join(HERE, '..') },
      seconds: { type: 'string', default: '75' },
      call: { type: 'string', multiple: true },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 10 && seconds <= 300)) throw new Error('--seconds takes a length between 10 and 300');
  const calls = CALLS.filter(({ name }) => !values.call || values.call.includes(name));
  if (calls.length === 0) throw new Error(`--call takes ${CALLS.map(({ name }) => name).join(' or ')}`);

  mkdirSync(path.join(values.out, 'testdata'), { recursive: true });
  const browser = await chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS });
  // Whatever hangs, the browser goes and with it every wait on it.
  const limit = setTimeout(() => browser.close(), (calls.length * (seconds + 30)) * 1000);
  try {
    for (const call of calls) {
      const report = (line) => console.error(`${call.name}: ${line}`);
      report(`records ${seconds} s`);
      const { recorded, truth } = await runCall(browser, { ...call, seconds }, report);
      const text = dump(call, recorded);
      checkPrivate(text, os.hostname());
      writeFileSync(path.join(values.out, `${call.name}.dump`), text);
      writeFileSync(path.join(values.out, 'testdata', `${call.name}.relay.json`), `${JSON.stringify(truth, null, 2)}\n`);
      for (const line of summarize(text)) report(line);
    }
  } finally {
    clearTimeout(limit);
    await browser.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(`record: ${error.message}`);
  process.exitCode = 1;
}
