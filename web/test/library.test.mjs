// The client library without a server: what it says of the protocol, what an application gets when it installs it, what the documentation shows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { importJWK, jwtVerify } from "jose";

const web = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const repository = path.join(web, "..");
const tsc = path.join(web, "node_modules/.bin/tsc");

test("The library's protocol has every message and field of the server's", () => {
  const folder = path.join(repository, "media/protocol");
  const go = readdirSync(folder).filter((name) => name.endsWith(".go") && !name.endsWith("_test.go")).map((name) => readFileSync(path.join(folder, name), "utf8")).join("\n");
  const ts = readFileSync(path.join(web, "client/src/protocol.ts"), "utf8");
  const types = [...go.matchAll(/\bType\w+\s*=\s*"(\w+)"/g)].map((match) => match[1]);
  const fields = [...go.matchAll(/json:"(\w+)/g)].map((match) => match[1]);
  const activities = [...go.matchAll(/\bActivity\w+\s*=\s*"(\w+)"/g)].map((match) => match[1]);
  assert.ok(types.length > 50 && fields.length > 80 && activities.length > 8, "the protocol was not read");
  assert.deepEqual([...new Set([...types, ...fields])].filter((name) => !new RegExp(`\\b${name}\\??:`).test(ts)), []);
  assert.deepEqual(activities.filter((name) => !ts.includes(`"${name}"`)), []);
});

/** Packs the library as npm would publish it and puts it into a new application. */
function application(t) {
  const folder = mkdtempSync(path.join(tmpdir(), "anteroom-client-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const packed = JSON.parse(execFileSync("npm", ["pack", "--json", "--loglevel=error", "--pack-destination", folder], { cwd: path.join(web, "client"), encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  const [{ filename, files }] = Array.isArray(packed) ? packed : Object.values(packed);
  const target = path.join(folder, "node_modules/@anteroom/client");
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", path.join(folder, filename), "--strip-components=1", "-C", target]);
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return { folder, files: files.map((file) => file.path) };
}

test("npm pack has the modules with their types and nothing else", (t) => {
  const { files } = application(t);
  assert.ok(files.includes("dist/index.js") && files.includes("dist/index.d.ts") && files.includes("README.md"));
  assert.deepEqual(files.filter((name) => !/^(dist\/[\w-]+\.(js|d\.ts)|README\.md|package\.json)$/.test(name)), []);
});

/** The code blocks of docs/embed.md, by the word after the language. */
function snippets() {
  const text = readFileSync(path.join(repository, "docs/embed.md"), "utf8");
  return Object.fromEntries([...text.matchAll(/```\w+ (\w+)\n([\s\S]*?)```/g)].map((match) => [match[1], match[2]]));
}

test("The page of docs/embed.md compiles against the packed library, in 30 lines", (t) => {
  const { folder } = application(t);
  const { page } = snippets();
  writeFileSync(path.join(folder, "page.ts"), page);
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({
    compilerOptions: { target: "es2022", module: "esnext", moduleResolution: "bundler", lib: ["es2023", "dom", "dom.iterable"], strict: true, noEmit: true, types: [] },
    include: ["page.ts"],
  }));
  execFileSync(tsc, ["-p", folder], { stdio: "pipe", encoding: "utf8" });
  assert.ok(page.trim().split("\n").length <= 30, "more than 30 lines");
});

test("The server of docs/embed.md signs a token as a resource's must be", async (t) => {
  const { folder } = application(t);
  symlinkSync(path.join(web, "node_modules/jose"), path.join(folder, "node_modules/jose"));
  writeFileSync(path.join(folder, "server.mjs"), snippets().server);
  const { guestToken } = await import(pathToFileURL(path.join(folder, "server.mjs")).href);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const token = await guestToken("user-7", { resourceId: "5f0c", keyId: "k1", privateKey: privateKey.export({ type: "pkcs8", format: "pem" }) });
  const { payload, protectedHeader } = await jwtVerify(token, await importJWK(createPublicKey(privateKey).export({ format: "jwk" }), "ES256"), { issuer: "5f0c", audience: "anteroom", subject: "user-7" });
  assert.equal(protectedHeader.kid, "k1");
  assert.ok(payload.jti && payload.exp - payload.iat <= 600);
});

test("The join page's sources have no colour outside the tokens", () => {
  const styles = path.join(web, "join/styles");
  const strays = readdirSync(styles).filter((name) => name !== "tokens.css").flatMap((name) => readFileSync(path.join(styles, name), "utf8").match(/#[0-9a-f]{3,8}\b/gi) ?? []);
  assert.deepEqual(strays, []);
});
