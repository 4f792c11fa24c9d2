// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files and batches by the official OpenAI client, against real engines: also while cars and the
// coordinator are killed, each request has exactly one answer.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { Fleet, program, sleep, until } from "./fleet.mjs";
import { validate } from "./schemas.mjs";

const ended = ["completed", "failed", "expired", "cancelled"];
const run_limit_ms = 120_000;
// Uploaded in one piece; what the gateway's memory may grow by meanwhile.
const large_bytes = 96 * 1024 * 1024;
const growth_max_kib = 48 * 1024;

let fleet;
let openai;
let model;
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "idlewatt-batches-"));
  fleet = await Fleet.start({ vehicles: 3 });
  openai = fleet.client();
  model = (await openai.models.list()).data[0].id;
});
after(async () => {
  await fleet?.stop();
  await rm(folder, { recursive: true, force: true });
});

const chat = (id, body = {}) => ({
  custom_id: id, method: "POST", url: "/v1/chat/completions",
  body: { model, messages: [{ role: "user", content: `Question ${id}` }], max_tokens: 8, ...body },
});
const jsonl = (lines) => lines.map((line) => JSON.stringify(line)).join("\n") + "\n";
const parsed = (text) => text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));

async function submit(lines, options = {}) {
  const file = await openai.files.create({ file: new File([jsonl(lines)], "lines.jsonl"), purpose: "batch" });
  return openai.batches.create({
    input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h", ...options,
  });
}

// Looks at it until it has ended; a coordinator that is away for a moment is asked again.
async function watched(id, each = () => {}) {
  let last = 0;
  return until(async () => {
    const batch = await openai.batches.retrieve(id).catch((error) => {
      if (error.status === 503) return undefined;
      throw error;
    });
    if (!batch) return undefined;
    validate("Batch", batch);
    const { completed, failed } = batch.request_counts;
    assert.ok(completed + failed >= last, "counts never go back");
    last = completed + failed;
    await each(batch);
    return ended.includes(batch.status) ? batch : undefined;
  }, run_limit_ms, `${id} has ended`);
}

// The lines of both files, by custom_id; each is there once.
async function results(batch) {
  const found = new Map();
  for (const [id, schema] of [[batch.output_file_id, "BatchOutputLine"], [batch.error_file_id, "BatchOutputLine"]]) {
    if (!id) continue;
    const text = await (await openai.files.content(id)).text();
    for (const line of parsed(text)) {
      validate(schema, line);
      assert.ok(!found.has(line.custom_id), `${line.custom_id} has one answer`);
      found.set(line.custom_id, line);
    }
  }
  return found;
}

function assertAllAnswered(lines, found) {
  assert.deepEqual([...found.keys()].sort(), lines.map((line) => line.custom_id).sort());
  for (const line of found.values()) {
    assert.equal(line.response?.status_code, 200, JSON.stringify(line));
    validate("ChatCompletion", line.response.body);
    assert.match(line.response.request_id, /^req_/);
  }
}

test("9 files.create(new File) and fs.createReadStream", async () => {
  const text = jsonl([chat("a"), chat("b")]);
  const path = join(folder, "stream.jsonl");
  await writeFile(path, text);
  const ids = [];
  for (const file of [new File([text], "named.jsonl"), createReadStream(path)]) {
    const made = validate("File", await openai.files.create({ file, purpose: "batch" }));
    assert.equal(made.bytes, Buffer.byteLength(text));
    assert.equal(made.purpose, "batch");
    assert.match(made.filename, /^(named|stream)\.jsonl$/);
    assert.equal(await (await openai.files.content(made.id)).text(), text);
    assert.equal((await openai.files.retrieve(made.id)).id, made.id);
    ids.push(made.id);
  }
  const listed = [];
  for await (const file of openai.files.list({ purpose: "batch", limit: 1 })) listed.push(validate("File", file).id);
  assert.deepEqual(listed.filter((id) => ids.includes(id)), ids.toReversed());
  for (const id of ids) assert.equal(validate("FileDeleted", await openai.files.delete(id)).deleted, true);
  await assert.rejects(openai.files.retrieve(ids[0]), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.match(error.requestID, /./);
    return true;
  });
  await assert.rejects(openai.files.create({ file: new File(["x"], "x"), purpose: "vision" }), OpenAI.BadRequestError);
});

test("a file's content comes in parts and by its name", async () => {
  const file = await openai.files.create({ file: new File(["0123456789"], "digits"), purpose: "user_data" });
  const path = `/v1/files/${file.id}/content`;
  const whole = await fleet.fetch(path);
  assert.equal(whole.headers.get("content-length"), "10");
  assert.match(whole.headers.get("x-request-id"), /./);
  const tag = whole.headers.get("etag");
  assert.match(tag, /^"/);
  assert.equal(await whole.text(), "0123456789");
  const part = await fleet.fetch(path, { headers: { range: "bytes=2-4" } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get("content-range"), "bytes 2-4/10");
  assert.equal(await part.text(), "234");
  assert.equal((await fleet.fetch(path, { headers: { "if-none-match": tag } })).status, 304);
  const head = await fleet.fetch(path, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "10");
});

const memoryPeakKib = async (role) => {
  const pid = (await readFile(join(fleet.state, `${role}.pid`), "utf8")).trim();
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]);
};

test("a large file goes through the gateway in bounded memory, both ways", async () => {
  const path = join(folder, "large");
  const file = await open(path, "w");
  await file.truncate(large_bytes);
  await file.write("the beginning", 0);
  await file.write("the end", large_bytes - 7);
  await file.close();
  const before = { gateway: await memoryPeakKib("gateway"), coordinator: await memoryPeakKib("coordinator") };
  const made = await openai.files.create({ file: createReadStream(path), purpose: "user_data" });
  assert.equal(made.bytes, large_bytes);
  let bytes = 0;
  let tail = Buffer.alloc(0);
  for await (const part of (await openai.files.content(made.id)).body) {
    bytes += part.length;
    tail = Buffer.concat([tail, part]).subarray(-7);
  }
  assert.equal(bytes, large_bytes);
  assert.equal(tail.toString(), "the end");
  for (const role of ["gateway", "coordinator"]) {
    const growth = (await memoryPeakKib(role)) - before[role];
    assert.ok(growth < growth_max_kib, `the ${role} grew by ${growth} KiB`);
  }
  await openai.files.delete(made.id);
});

test("10 batches.create, retrieve, list, cancel; files.content().text()", async () => {
  const lines = [chat("one"), chat("two"), chat("wrong", { temperature: 9 }), chat("three", { n: 2 })];
  const batch = validate("Batch", await submit(lines, { metadata: { night: "ly" } }));
  assert.match(batch.id, /^batch_/);
  assert.deepEqual(batch.metadata, { night: "ly" });
  const done = await watched(batch.id);
  assert.equal(done.status, "completed");
  assert.deepEqual(done.request_counts, { total: 4, completed: 3, failed: 1 });
  assert.ok(done.usage.output_tokens >= 3);
  const found = await results(done);
  assert.deepEqual([...found.keys()].sort(), ["one", "three", "two", "wrong"]);
  assert.equal(found.get("three").response.body.choices.length, 2);
  assert.equal(found.get("wrong").response.status_code, 400);
  assert.equal(found.get("wrong").response.body.error.param, "temperature");
  const listed = [];
  for await (const one of openai.batches.list({ limit: 2 })) listed.push(validate("Batch", one).id);
  assert.ok(listed.includes(batch.id));
  await assert.rejects(openai.batches.cancel(batch.id), (error) => error.status === 409);
  await assert.rejects(openai.batches.retrieve("batch_none"), OpenAI.NotFoundError);
});

test("a batch that is cancelled keeps what was answered", async () => {
  const lines = Array.from({ length: 200 }, (_, i) => chat(`c${i}`, { max_tokens: 64, ignore_eos: true }));
  const batch = await submit(lines);
  await until(async () => (await openai.batches.retrieve(batch.id)).request_counts.completed > 3, run_limit_ms, "some are answered");
  const said = await openai.batches.cancel(batch.id);
  assert.ok(["cancelling", "cancelled"].includes(said.status));
  const done = await watched(batch.id);
  assert.equal(done.status, "cancelled");
  const found = await results(done);
  assert.equal(found.size, 200);
  const answered = [...found.values()].filter((line) => line.response?.status_code === 200).length;
  assert.ok(answered > 3 && answered < 200, `${answered} answered`);
  const rest = [...found.values()].filter((line) => line.response === null);
  assert.ok(rest.every((line) => line.error.code === "batch_cancelled"));
  await until(async () => (await fleet.vehicles()).every((car) => car.active_requests === 0), 5000, "no work is left");
});

test("a client gets a car while a batch fills them all", async () => {
  const lines = Array.from({ length: 30 }, (_, i) => chat(`l${i}`, { max_tokens: 300, ignore_eos: true }));
  const batch = await submit(lines);
  const busy = async () => (await fleet.vehicles()).reduce((sum, car) => sum + car.active_requests, 0);
  await until(async () => (await busy()) === 6, 30_000, "all slots are in use");
  for (let i = 0; i < 4; ++i) {
    const answer = await openai.chat.completions.create(
      { model, messages: [{ role: "user", content: `first ${i}` }], max_tokens: 4 }, { timeout: 10_000 });
    assert.equal(answer.usage.completion_tokens, 4);
  }
  await openai.batches.cancel(batch.id);
  // Lines that run may still end; the others are not begun.
  const done = await watched(batch.id);
  assert.ok(done.request_counts.completed < 30);
  assert.equal((await results(done)).size, 30);
});

test("a file that is no batch fails with its lines", async () => {
  const lines = [chat("same"), chat("same"), { ...chat("x"), method: "GET" }];
  const done = await watched((await submit(lines)).id);
  assert.equal(done.status, "failed");
  assert.equal(done.output_file_id ?? null, null);
  assert.deepEqual(done.errors.data.map((fault) => fault.line).sort(), [2, 3]);
});

test("embeddings and completions are batches, too", async () => {
  for (const [url, body] of [["/v1/embeddings", { input: ["a", "b"] }], ["/v1/completions", { prompt: "once", max_tokens: 4 }]]) {
    const lines = [1, 2, 3].map((i) => ({ custom_id: `${i}`, method: "POST", url, body: { model, ...body } }));
    const done = await watched((await submit(lines, { endpoint: url })).id);
    assert.deepEqual(done.request_counts, { total: 3, completed: 3, failed: 0 }, url);
    const found = await results(done);
    assert.equal(found.size, 3);
  }
});

// Kills something whenever the batch has got on a little.
async function survives(kill, rounds) {
  const lines = Array.from({ length: 90 }, (_, i) => chat(`s${i}`, { max_tokens: 48, ignore_eos: true }));
  const batch = await submit(lines);
  let kills = 0;
  let at = 0;
  const done = await watched(batch.id, async ({ request_counts, status }) => {
    if (kills >= rounds || status !== "in_progress" || request_counts.completed <= at) return;
    if (await kill()) {
      ++kills;
      at = request_counts.completed + 8;
    }
  });
  assert.equal(kills, rounds, "it ran long enough to be killed");
  assert.equal(done.status, "completed");
  assert.deepEqual(done.request_counts, { total: 90, completed: 90, failed: 0 });
  assertAllAnswered(lines, await results(done));
}

test("a batch whose cars are killed in mid-run: each custom_id exactly once", async () => {
  await survives(() => fleet.killServing("agent"), 4);
  await until(() => fleet.allReady(3), 60_000, "the cars are back");
});

test("a batch whose coordinator is killed in mid-run: each custom_id exactly once", async () => {
  await survives(async () => {
    const file = join(fleet.state, "coordinator.pid");
    const pid = Number((await readFile(file, "utf8").catch(() => "0")).trim());
    if (!(pid > 1)) return false;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      return false;
    }
    // Without it, clients are served, and those who want a batch are told when to come back.
    const refused = await fleet.fetch("/v1/batches");
    if (refused.status !== 200) {
      assert.equal(refused.status, 503);
      assert.match(refused.headers.get("retry-after"), /^\d+$/);
      assert.match(refused.headers.get("x-request-id"), /./);
      validate("Error", await refused.json());
    }
    const answer = await openai.chat.completions.create({ model, messages: [{ role: "user", content: "still?" }], max_tokens: 4 });
    assert.equal(answer.usage.completion_tokens, 4);
    await sleep(300);
    return true;
  }, 2);
});

const command = (args, environment = {}) =>
  new Promise((resolve) => {
    const env = { ...process.env, IDLEWATT_URL: fleet.url, IDLEWATT_API_KEY: fleet.key, ...environment };
    execFile(program, args, { env }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, stdout, stderr }));
  });

test("idlewatt batch submit, watch, results, ls, cancel", async () => {
  const path = join(folder, "command.jsonl");
  const lines = Array.from({ length: 12 }, (_, i) => chat(`k${i}`));
  await writeFile(path, jsonl([...lines, chat("bad", { top_p: 7 })]));
  const submitted = await command(["batch", "submit", path, "--wait"]);
  const id = submitted.stdout.trim();
  assert.match(id, /^batch_/, submitted.stderr);
  assert.equal(submitted.code, 6, submitted.stderr);
  assert.match(submitted.stderr, /completed: 12 ok \/ 1 failed/);
  assert.doesNotMatch(submitted.stderr, /\x1b|\r/, "no bar where nobody looks");
  const out = join(folder, "answers.jsonl");
  const got = await command(["batch", "results", id, "--out", out]);
  assert.equal(got.code, 6, got.stderr);
  const answers = parsed(await readFile(out, "utf8"));
  assert.deepEqual(answers.map((line) => line.custom_id).sort(), [...lines.map((line) => line.custom_id), "bad"].sort());
  const watched_again = await command(["batch", "watch", id, "--json"]);
  assert.equal(validate("Batch", JSON.parse(watched_again.stdout)).status, "completed");
  assert.match((await command(["batch", "ls"])).stdout, new RegExp(`${id} +completed +12 +1 +13`));
  validate("BatchList", JSON.parse((await command(["batch", "ls", "--json"])).stdout));
  assert.equal((await command(["batch", "watch", "batch_none"])).code, 3);
  assert.equal((await command(["batch", "ls"], { IDLEWATT_API_KEY: "wrong" })).code, 4);
  await writeFile(path, jsonl([chat("only", { top_p: 7 })]));
  const failed = await command(["batch", "submit", path, "--wait"]);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /completed: 0 ok \/ 1 failed/);
});
