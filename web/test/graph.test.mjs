// Microsoft's own client library for Graph reads call records of a running Anteroom, page by page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AuthenticationHandler, Client, PageIterator } from "@microsoft/microsoft-graph-client";
import { Service, noService } from "./service.mjs";

const repository = path.join(path.dirname(fileURLToPath(import.meta.url)), "../..");
const HOST = "anteroom.example";

describe("A client of Microsoft Graph", { skip: noService() }, () => {
  let service;
  let client;

  before(async () => {
    // The library speaks to https only. What a proxy with a certificate would do, its last handler does here.
    service = await Service.start();
    const proxy = {
      async execute(context) {
        const url = new URL(context.request);
        assert.equal(url.host, HOST, "the library was sent elsewhere");
        const response = await fetch(service.url + url.pathname + url.search, context.options);
        const body = (await response.text()).replaceAll(service.url, `https://${HOST}`);
        context.response = new Response(body, { status: response.status, headers: { "content-type": response.headers.get("content-type") } });
      },
    };
    const authentication = new AuthenticationHandler({ getAccessToken: async () => service.token("admin") });
    authentication.setNext(proxy);
    client = Client.initWithMiddleware({ middleware: authentication, baseUrl: `https://${HOST}/`, customHosts: new Set([HOST]) });
    for (const name of ["clean", "impaired"]) {
      const response = await fetch(`${service.url}/v1/imports?format=rtcstats&org=contoso`, {
        method: "POST",
        headers: { authorization: `Bearer ${service.token("admin")}`, "content-type": "application/octet-stream" },
        body: recent(readFileSync(path.join(repository, `internal/demo/${name}.dump`), "utf8")),
      });
      assert.equal(response.status, 200, await response.text());
    }
    // The list is made of summaries, which follow the rows within seconds.
    for (let tries = 0; tries < 150 && (await client.api("/communications/callRecords").get()).value.length < 2; tries++) await new Promise((resolve) => setTimeout(resolve, 200));
  });

  after(() => service?.stop());

  /** Brings the times of a dump to an hour ago: records are kept for 30 days only. */
  function recent(dump) {
    const lines = dump.trim().split("\n").map((line) => JSON.parse(line));
    const shift = Date.now() - 3_600_000 - Math.min(...lines.map((line) => line[3]).filter((at) => at > 1e12));
    const moved = (value) => JSON.parse(JSON.stringify(value), (key, v) => (key === "timestamp" && v > 1e12 ? v + shift : v));
    return lines.map(([method, pc, value, at, ...rest]) => JSON.stringify([method, pc, moved(value ?? null), at > 1e12 ? at + shift : at, ...rest])).join("\n");
  }

  test("It walks all pages of the list", async () => {
    const first = await client.api("/communications/callRecords").header("Prefer", "odata.maxpagesize=1").get();
    assert.equal(first.value.length, 1);
    const ids = [];
    await new PageIterator(client, first, (record) => ids.push(record.id) > 0, { headers: { Prefer: "odata.maxpagesize=1" } }).iterate();
    assert.equal(new Set(ids).size, 2);
  });

  test("It filters, expands, and finds the guest Anonymous and without an address", async () => {
    const since = new Date(Date.now() - 7_200_000).toISOString();
    const { value } = await client.api("/communications/callRecords").filter(`startDateTime ge ${since}`).get();
    assert.equal(value.length, 2);
    const none = await client.api("/communications/callRecords").filter(`startDateTime lt ${since}`).get();
    assert.deepEqual(none.value, []);
    for (const { id } of value) {
      const record = await client.api(`/communications/callRecords/${id}`).expand("sessions($expand=segments)").get();
      const [session] = record.sessions;
      assert.equal(session.caller.associatedIdentity.guest.displayName, "Anonymous");
      const media = session.segments.flatMap((segment) => segment.media);
      assert.deepEqual(new Set(media.map(({ label }) => label)), new Set(["main-audio", "main-video", "applicationsharing-video"]));
      for (const { callerNetwork, streams } of media) {
        assert.equal(callerNetwork.ipAddress, null);
        for (const stream of streams) assert.match(stream.averageRoundTripTime ?? "PT0S", /^PT[\d.]+S$/);
      }
      const participants = await client.api(`/communications/callRecords/${id}/participants_v2`).get();
      assert.deepEqual(participants.value.map((p) => p.identity.guest.displayName), ["Anonymous"]);
      const sessions = await client.api(`/communications/callRecords/${id}/sessions`).expand("segments").get();
      assert.deepEqual(sessions.value, record.sessions);
    }
  });

  test("It reads a meeting", async () => {
    const meeting = await service.newMeeting("Consultation 4711");
    const read = await client.api(`/communications/onlineMeetings/${meeting.id}`).get();
    assert.equal(read.subject, "Consultation 4711");
    assert.equal(new URL(read.joinWebUrl).hash, new URL(meeting.join_url).hash);
    assert.deepEqual([read.participants.organizer.identity.user.id, read.participants.attendees], ["olga", []]);
  });

  test("It understands errors", async () => {
    await assert.rejects(client.api("/communications/callRecords/nothing").get(), { statusCode: 404, code: "NotFound" });
    await assert.rejects(client.api("/communications/callRecords").filter("x eq 1").get(), (error) => error.statusCode === 400 && error.code === "BadRequest" && error.message.includes("$filter"));
  });
});
