// What the console writes into a policy's files without asking the service: the form of guests' capabilities, tests made of decisions, selections as queries.
// That the service takes them is in policies.test.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const source = path.join(path.dirname(fileURLToPath(import.meta.url)), "../console/src/policies");
const folder = mkdtempSync(path.join(tmpdir(), "anteroom-policy-"));
let guests;
let tests;
let expression;
let problem;

before(async () => {
  const names = ["guests-files", "make-test", "expression", "problem"];
  await build({ entryPoints: names.map((name) => path.join(source, `${name}.ts`)), bundle: true, format: "esm", outdir: folder, outExtension: { ".js": ".mjs" }, logLevel: "error" });
  [guests, tests, expression, problem] = await Promise.all(names.map((name) => import(pathToFileURL(path.join(folder, `${name}.mjs`)))));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("The form reads back what it wrote, and keeps what is not its own", () => {
  assert.deepEqual(guests.readGuests({}), { kind: "none" });
  const before = { "rules.rego": "package anteroom.organization\n", "data.json": '{"opening": {"from": 8}}' };
  const files = guests.writeGuests(before, { withheld: ["sendChat", "shareScreen"], granted: [] });
  assert.deepEqual(guests.readGuests(files), { kind: "form", withheld: ["sendChat", "shareScreen"], granted: [] });
  assert.deepEqual(JSON.parse(files["data.json"]), { opening: { from: 8 }, guests: { withheld: ["sendChat", "shareScreen"] } });
  assert.equal(files["rules.rego"], before["rules.rego"]);
  const dropped = guests.dropGuests(files);
  assert.deepEqual(Object.keys(dropped).sort(), ["data.json", "rules.rego"]);
  assert.deepEqual(JSON.parse(dropped["data.json"]), { opening: { from: 8 } });
  assert.deepEqual(Object.keys(guests.dropGuests(guests.writeGuests({}, { withheld: [], granted: [] }))), []);
});

test("The form gives what the operator lets be given, by a rule that is there only then", () => {
  const plain = guests.writeGuests({}, { withheld: ["sendChat"], granted: [] });
  const files = guests.writeGuests(plain, { withheld: ["sendChat"], granted: ["raiseHand"] });
  assert.deepEqual(guests.readGuests(files), { kind: "form", withheld: ["sendChat"], granted: ["raiseHand"] });
  assert.match(files["guests.rego"], /^grant contains capability if/m);
  assert.doesNotMatch(plain["guests.rego"], /^grant /m);
  assert.deepEqual(guests.writeGuests(files, { withheld: ["sendChat"], granted: [] }), plain);
  // A list that no rule reads would look as if it gave something.
  assert.deepEqual(guests.readGuests({ ...plain, "data.json": files["data.json"] }), { kind: "edited", why: "list" });
});

test("A compiler's message is told in words, without what points into a text of its own", () => {
  assert.equal(
    problem.inWords('undefined ref: input.participant.invitd\n\tinput.participant.invitd\n\t                  ^\n\t                  have: "invitd"\n\t                  want (one of): ["invited"]'),
    'undefined ref: input.participant.invitd\nhave: "invitd"\nwant (one of): ["invited"]',
  );
  assert.equal(problem.inWords("var x is unsafe"), "var x is unsafe");
});

test("The form says when the files go beyond it, and writes over nothing that it can't read", () => {
  const files = guests.writeGuests({}, { withheld: ["sendChat"], granted: [] });
  for (const [why, change] of [
    ["module", { "guests.rego": `${files["guests.rego"]}# mine\n` }],
    ["module", { "guests.rego": undefined }],
    ["list", { "data.json": '{"guests": {"withheld": ["sendChat"], "except": ["sam"]}}' }],
    ["list", { "data.json": '{"guests": {"withheld": [1]}}' }],
    ["list", { "data.json": "{}" }],
    ["data", { "data.json": "[1]" }],
    ["data", { "data.json": "{" }],
  ]) {
    assert.deepEqual(guests.readGuests({ ...files, ...change }), { kind: "edited", why }, JSON.stringify(change));
  }
  assert.equal(guests.writeGuests({ "data.json": "{" }, { withheld: [], granted: [] }), undefined);
});

test("A test made of a decision holds the rules to what they say, and gets a name of its own", () => {
  const recorded = {
    name: tests.testName("join", "deny", "3f2a91c0-0000"), input: { action: "join", capability: "sendChat", participant: { kind: "guest" } }, effect: "deny", reasons: ["closed\nx"],
    rules: { deny: [{ reason: "closed", rule: "closed" }], lobby: [], withhold: { sendChat: ["no_chat"] } },
  };
  const first = tests.withTest({}, recorded);
  assert.equal(first.name, "test_join_deny_3f2a91c0");
  const text = first.files[first.file];
  assert.match(text, /^package anteroom\.organization_test\n\nimport data\.anteroom\.organization\n/);
  assert.ok(text.includes('organization.deny == {{"reason":"closed","rule":"closed"}} with input as join_deny_3f2a91c0'), text);
  assert.ok(text.includes("organization.lobby == set() with input as join_deny_3f2a91c0"), text);
  assert.ok(text.includes('organization.withhold == {"sendChat": {"no_chat"}} with input as join_deny_3f2a91c0'), text);
  assert.ok(text.includes('"capability": ""'), "the rules would see which capability is asked for");
  assert.ok(text.includes("# A recorded decision: deny, closed x."), text);
  const second = tests.withTest(first.files, recorded);
  assert.equal(second.name, "test_join_deny_3f2a91c0_2");
  assert.ok(second.files[second.file].startsWith(text.trimEnd()));
  assert.ok(tests.withTest({}, { ...recorded, rules: undefined }).files["decisions_test.rego"].includes("not organization.deny with input as"));
});

test("A selection becomes a query: a rule is found in its package, and what is imported where it comes from", () => {
  const file = "package anteroom.organization\n\nimport data.anteroom.meeting\nimport input.participant as who\n\ndefault open := false\n\ndeny contains \"x\" if not open\n";
  for (const [selection, query] of [
    [" deny ", "data.anteroom.organization.deny"],
    ["open", "data.anteroom.organization.open"],
    ["meeting.decision.effect", "data.anteroom.meeting.decision.effect"],
    ["who.kind", "input.participant.kind"],
    ["input.participant.kind", "input.participant.kind"],
    ["data.limits", "data.limits"],
    ['input.meeting.kind == "channel"', 'input.meeting.kind == "channel"'],
    ["count(deny)", "count(deny)"],
    ["nothing", "nothing"],
  ]) {
    assert.equal(expression.qualified(selection, file), query);
  }
});
