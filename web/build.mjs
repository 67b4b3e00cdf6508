// Builds the pages into dist/: home.html, join.html, and scripts and styles under assets/ with a hash of their content in the name. What is there
// already and the same is left alone, so that `go build` has nothing to do.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, "dist");

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

const files = new Map();
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

await mkdir(path.join(dist, "assets"), { recursive: true });
for (const [name, content] of files) {
  const target = path.join(dist, name);
  const before = await readFile(target).catch(() => undefined);
  if (!before?.equals(content)) await writeFile(target, content);
}
for (const name of await readdir(path.join(dist, "assets"))) {
  if (!files.has(`assets/${name}`)) await rm(path.join(dist, "assets", name));
}
