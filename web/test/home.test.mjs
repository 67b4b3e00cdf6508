// The start page: signing in, one's meetings, a new one, its link, signing out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHROMIUM, assertAccessible, launch, missing, newWindow, screenshot } from "./browser.mjs";
import { Service, noService } from "./service.mjs";

test("An org user makes a meeting on the start page", { skip: missing(CHROMIUM) || noService() }, async (t) => {
  const service = await Service.start();
  t.after(() => service.stop());
  const browser = await launch();
  t.after(() => browser.close());
  const { page } = await newWindow(browser);

  await page.goto(service.url);
  await assertAccessible(page);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("User id", { exact: true }).fill("olga");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("No meetings yet").waitFor();

  const title = "A second opinion, with a title that is too long for its line ".repeat(3).trim();
  await page.getByLabel("New meeting").fill(title);
  await page.getByRole("button", { name: "Make meeting" }).click();
  const join = page.getByRole("link", { name: `Join ${title}` });
  await join.waitFor();
  await assertAccessible(page);
  await screenshot(page, "30-start");
  await join.click();
  await page.getByText("You join as olga").waitFor();

  await page.goto(service.url);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  assert.equal((await page.request.get(`${service.url}/v1/session`)).status(), 401);
});
