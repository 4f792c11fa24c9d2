// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Refusals that need a cell at its limits, as the official client meets them: too much at once, all
// used up, a model that is not loaded yet.
import assert from "node:assert/strict";
import { request } from "node:http";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { Cell } from "./cell.mjs";
import { until } from "./fleet.mjs";

// What the coordinator may keep, files and models together; one key's files are a quarter of it.
const disk_mib = 48;
// As many as it takes at once, each begun and never ended.
const uploads_at_once = 16;

let cell;
before(async () => {
  cell = await Cell.start({ env: { IDLEWATT_COORDINATOR_BLOBS_MIB: String(disk_mib) } });
});
after(() => cell?.stop());

function halfUploads(key) {
  const boundary = "half";
  const headers = {
    authorization: `Bearer ${key}`, "content-type": `multipart/form-data; boundary=${boundary}`, "content-length": 1 << 20,
  };
  return Array.from({ length: uploads_at_once }, () => {
    const upload = request(`${cell.where.url}/v1/files`, { method: "POST", headers });
    upload.on("error", () => {});
    upload.on("response", (response) => response.resume());
    upload.write(`--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc`);
    return upload;
  });
}

test("too much at once is 429 slow_down with a retry-after", async () => {
  const key = await cell.makeKey();
  const openai = cell.client(key);
  const uploads = halfUploads(key);
  try {
    const small = () => ({ file: new File(["abc"], "a.txt"), purpose: "user_data" });
    const error = await until(() => openai.files.create(small()).then(() => undefined, (refusal) => refusal), 10_000, "there are too many");
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    assert.deepEqual([error.type, error.code, error.param], ["rate_limit_error", "slow_down", null]);
    assert.ok(Number(error.headers.get("retry-after")) >= 1);
    assert.equal(error.headers.get("x-should-retry"), null);
  } finally {
    for (const upload of uploads) upload.destroy();
  }
});

test("what is used up is 429 insufficient_quota, and is not tried again", async () => {
  const key = await cell.makeKey();
  let tries = 0;
  // It also asks what its own fetch can, of no server.
  const counting = (url, ...rest) => {
    if (String(url).startsWith(cell.where.url)) ++tries;
    return fetch(url, ...rest);
  };
  const openai = cell.client(key, { maxRetries: 3, fetch: counting });
  const large = new File([new Uint8Array((disk_mib / 4 + 1) << 20)], "large.bin");
  await assert.rejects(openai.files.create({ file: large, purpose: "user_data" }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    assert.deepEqual([error.type, error.code], ["insufficient_quota", "insufficient_quota"]);
    assert.equal(error.headers.get("x-should-retry"), "false");
    return true;
  });
  assert.equal(tries, 1);
});

// The only car's engine is killed whenever it comes back, so that its model stays to be loaded.
test("a model that is being loaded is 503 model_loading with a retry-after", async () => {
  const cars = join(cell.state, "vehicles");
  const killing = setInterval(async () => {
    for (const car of await readdir(cars).catch(() => [])) {
      const pid = Number(await readFile(join(cars, car, "engine.pid"), "utf8").catch(() => "0"));
      try {
        if (pid > 1) process.kill(pid, "SIGKILL");
      } catch {
        // It has gone already.
      }
    }
  }, 20);
  try {
    const openai = cell.client(await cell.makeKey());
    const begun = Date.now();
    const error = await until(
      () => openai.chat.completions.create({ messages: [{ role: "user", content: "hello" }], max_tokens: 1900, ignore_eos: true })
        .then(() => undefined, (refusal) => (refusal.code === "worker_preempted" ? undefined : refusal)),
      60_000, "it is refused",
    );
    assert.ok(error instanceof OpenAI.InternalServerError, String(error));
    assert.deepEqual([error.status, error.type, error.code, error.param], [503, "unavailable_error", "model_loading", null]);
    const after_s = Number(error.headers.get("retry-after"));
    assert.ok(after_s >= 1);
    assert.match(error.message, new RegExp(`Try again in ${after_s} s`));
    assert.ok(Date.now() - begun < 25_000, "early");
  } finally {
    clearInterval(killing);
  }
});
