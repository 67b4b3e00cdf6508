// A running `anteroom run` with an organisation of its own, for tests. ANTEROOM_BIN names the binary; default bin/anteroom.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const repository = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const binary = path.resolve(process.env.ANTEROOM_BIN ?? path.join(repository, "bin/anteroom"));
// The service refuses variables that it doesn't know, and those of tests are none of its own.
const { ANTEROOM_BIN: _binary, ANTEROOM_SCREENSHOTS: _screenshots, ...env } = process.env;
const ORGANIZATION = "contoso";

/** Why there is no service to test; under CI=true there must be one. */
export function noService() {
  return existsSync(binary) || process.env.CI === "true" ? false : `${binary} is not built`;
}

/** Service is one `anteroom run` on a data folder of its own. */
export class Service {
  static async start() {
    const service = new Service();
    service.data = mkdtempSync(path.join(tmpdir(), "anteroom-web-"));
    service.output = "";
    service.#spawn();
    try {
      await service.#ready();
      await service.#makeOrganization();
    } catch (error) {
      await service.stop();
      throw new Error(`${error.message}\n${service.output}`, { cause: error });
    }
    return service;
  }

  #spawn() {
    this.process = spawn(binary, ["run", "--data", this.data, "--listen", "127.0.0.1:0", "--no-demo"], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (text) => (this.output += text));
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
  }

  /** Kills it, without a chance to put anything in order, and starts it again on the same data, at another address. */
  async crash() {
    this.process.kill("SIGKILL");
    await this.ended;
    rmSync(path.join(this.data, "anteroom.lock"), { force: true });
    this.#spawn();
    await this.#ready();
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
    rmSync(this.data, { recursive: true, force: true });
  }

  /** A token of the development issuer. */
  token(role, user = role) {
    return execFileSync(binary, ["token", "--data", this.data, "--org", ORGANIZATION, "--role", role, "--user", user], { env, encoding: "utf8" }).trim();
  }

  /** Asks the API, with a token of the role; answers with what it answered. */
  async api(role, method, url, body) {
    const response = await fetch(this.url + url, {
      method,
      headers: { authorization: `Bearer ${this.token(role, role === "org_user" ? "olga" : role)}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json().catch(() => undefined) };
  }

  /** Makes a meeting; answers with what the API tells of it, its link in `join_url`. */
  async newMeeting(title, fields = {}) {
    const { status, body } = await this.api("org_user", "POST", "/v1/meetings", { title, ...fields });
    assert.equal(status, 201, JSON.stringify(body));
    return { ...body, join_url: this.url + new URL(body.join_url).pathname + new URL(body.join_url).hash };
  }

  /** Signs in as an org user at the development issuer, from the join page as a person would, and comes back to it. */
  async signIn(page, link, name) {
    await page.goto(link);
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByLabel("User id", { exact: true }).fill("olga");
    await page.getByLabel(/^Display name/).fill(name);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText(`You join as ${name}`).waitFor();
  }

  async #ready() {
    const deadline = Date.now() + 120_000;
    while (Date.now() < deadline && this.process.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const lock = path.join(this.data, "anteroom.lock");
      const holder = existsSync(lock) ? readFileSync(lock, "utf8") : "";
      if (!holder.includes("url")) continue;
      this.url = JSON.parse(holder).url;
      const response = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (this.url && response?.ok) return;
    }
    throw new Error("anteroom run is not ready");
  }

  async #makeOrganization() {
    const { status, body } = await this.api("operator", "POST", "/v1/organizations", { id: ORGANIZATION, name: "Contoso Clinic", region: "emea" });
    assert.equal(status, 201, JSON.stringify(body));
    // Rows are followed by version: the organisation is known to all rooms within a second.
    for (let tries = 0; tries < 50; tries++) {
      if ((await this.api("org_user", "GET", "/v1/session")).status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the new organisation is not known");
  }
}
