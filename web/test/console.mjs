// What tests do with the console: signing in with roles, and what each of its pages has to keep to.
import assert from "node:assert/strict";
import AxeBuilder from "@axe-core/playwright";
import { newWindow } from "./browser.mjs";

/** A window of its own in which the console's own policy must not be violated, nor anything asked of another server. */
export async function consoleWindow(browser, service, options = {}) {
  const { context, page, errors } = await newWindow(browser, { permissions: ["clipboard-read", "clipboard-write"], ...options });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== service.url) errors.push(`a request left the service: ${request.url()}`);
  });
  return { context, page, errors };
}

/** Signs in at the development issuer, from the console as a person would; comes back to the address. */
export async function signIn(page, service, { user, roles = [], name, path = "/console", organization = "contoso" }) {
  await page.goto(service.url + path);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Organisation").selectOption(organization);
  await page.getByLabel("User id", { exact: true }).fill(user);
  if (name) await page.getByLabel(/^Display name/).fill(name);
  for (const role of roles) await page.getByRole("checkbox", { name: role, exact: true }).check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Screens" }).waitFor();
}

/** Fails for what axe-core calls serious or critical. */
export async function assertNothingSerious(page, what) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? ""}`).join(", ")}`);
  assert.deepEqual(found, [], `${what} is not accessible`);
}

/** Waits until a screen has all that it asks for. */
export async function settled(page) {
  await page.locator("h1").first().waitFor();
  // A screen that is pushed to never is idle.
  await page.waitForLoadState("networkidle", { timeout: 3000 }).catch(() => undefined);
  await page.waitForFunction(() => document.querySelectorAll("[aria-busy=true]").length === 0);
}

/** Asks again until the answer fits. */
export async function until(what, ask, fits, deadline = Date.now() + 60_000) {
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    assert.ok(Date.now() < deadline, `${what} did not come: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
