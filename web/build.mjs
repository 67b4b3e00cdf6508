// Builds the pages into dist/: home.html, join.html, console.html, and scripts and styles under assets/ with a hash of their content in the name, each of
// them compressed beside itself as well. What is there already and the same is left alone, so that `go build` has nothing to do.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";
import { build as buildConsole } from "vite";

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, "dist");
// Less than this is sent as fast as it is.
const SMALL = 1024;

await import("./generate.mjs");
const files = new Map();
await buildPages();
await takeConsole();
await compress();
await write();

/** The start page and the join page: a script each and one style. */
async function buildPages() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: { home: "home/src/main.ts", join: "join/src/main.ts", style: "join/styles/join.css" },
    alias: { "@anteroom/client": path.join(here, "client/src/index.ts") },
    bundle: true,
    format: "esm",
    minify: true,
    write: false,
    outdir: "assets",
    // The browsers that have all that the page uses; light-dark() came last.
    target: ["chrome123", "firefox120", "safari17.5"],
    logLevel: "warning",
  });
  const names = {};
  for (const output of result.outputFiles) {
    const file = path.basename(output.path);
    const hash = createHash("sha256").update(output.contents).digest("hex").slice(0, 16);
    const name = `assets/${file.replace(".", `-${hash}.`)}`;
    names[file] = `/${name}`;
    files.set(name, Buffer.from(output.contents));
  }
  for (const page of ["home", "join"]) {
    const html = await readFile(path.join(here, page, `${page}.html`), "utf8");
    files.set(`${page}.html`, Buffer.from(html.replace(/\{\{([\w.]+)\}\}/g, (_, file) => names[file])));
  }
}

/** The console: Vite splits it by screen. */
async function takeConsole() {
  const { output } = await buildConsole({ root: path.join(here, "console"), configFile: path.join(here, "console/vite.config.ts") });
  for (const file of output) files.set(file.fileName, Buffer.from(file.type === "chunk" ? file.code : file.source));
}

/** As small as it gets, once, so that serving costs nothing. */
async function compress() {
  const all = [...files].filter(([name, content]) => name.startsWith("assets/") && content.length >= SMALL);
  await Promise.all(
    all.map(async ([name, content]) => {
      const [br, gz] = await Promise.all([
        promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
        promisify(gzip)(content, { level: 9 }),
      ]);
      files.set(`${name}.br`, br).set(`${name}.gz`, gz);
    }),
  );
}

async function write() {
  await mkdir(path.join(dist, "assets"), { recursive: true });
  for (const [name, content] of files) {
    const target = path.join(dist, name);
    const before = await readFile(target).catch(() => undefined);
    if (!before?.equals(content)) await writeFile(target, content);
  }
  for (const name of await readdir(path.join(dist, "assets"))) {
    if (!files.has(`assets/${name}`)) await rm(path.join(dist, "assets", name));
  }
}
