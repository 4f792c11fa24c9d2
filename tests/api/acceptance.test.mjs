// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Does the official OpenAI client work? Against real engines.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { Fleet, sleep, until } from "./fleet.mjs";
import { validate } from "./schemas.mjs";

let fleet;
let openai;
before(async () => {
  fleet = await Fleet.start({ vehicles: 3 });
  openai = fleet.client();
});
after(() => fleet?.stop());

const question = [{ role: "user", content: "Why does my parked car compute?" }];
test("1 models.list() iterates", async () => {
  const models = [];
  for await (const model of openai.models.list()) models.push(validate("Model", model));
  assert.ok(models.length >= 1);
  assert.equal((await openai.models.retrieve(models[0].id)).id, models[0].id);
});

test("2 chat.completions.create plain", async () => {
  const answer = await openai.chat.completions.create({ messages: question, max_tokens: 12, temperature: 0 });
  validate("ChatCompletion", answer);
  assert.equal(answer.choices[0].finish_reason, "length");
  assert.equal(answer.usage.completion_tokens, 12);
  assert.match(answer._request_id, /./);
});

test("3 stream with include_usage: text and usage", async () => {
  const stream = await openai.chat.completions.create({
    messages: question, max_tokens: 12, stream: true, stream_options: { include_usage: true },
  });
  let text = "";
  const usages = [];
  const reasons = [];
  for await (const chunk of stream) {
    validate("ChatCompletionChunk", chunk);
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
    if (chunk.usage) usages.push([chunk.choices.length, chunk.usage]);
  }
  assert.ok(text.length > 0);
  assert.deepEqual(reasons, ["length"]);
  assert.equal(usages.length, 1, "one chunk with usage, and it has no choices");
  assert.equal(usages[0][0], 0);
  assert.equal(usages[0][1].completion_tokens, 12);
});

test("5 an error in the middle of a stream is an APIError with a code", async () => {
  const alone = await Fleet.start({ vehicles: 1 });
  try {
    const stream = await alone.client().chat.completions.create({
      messages: question, max_tokens: 1500, ignore_eos: true, stream: true,
    });
    await assert.rejects(
      async () => {
        let chunks = 0;
        for await (const chunk of stream) {
          if (++chunks === 5) await occupy(alone);
          assert.ok(chunk);
        }
      },
      (error) => error instanceof OpenAI.APIError && error.code === "worker_preempted",
    );
  } finally {
    await alone.stop();
  }
});

async function occupy(of) {
  const [car] = await of.vehicles();
  const taken = await of.fetch(`/api/v1/vehicles/${car.id}/signals`, { method: "POST", body: { occupied: true } });
  assert.equal(taken.status, 200);
}

test("6 an unknown model is a NotFoundError with code, param, type and request id", async () => {
  await assert.rejects(openai.chat.completions.create({ model: "nobody/has:this", messages: question }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert.equal(error.param, "model");
    assert.equal(error.type, "invalid_request_error");
    assert.match(error.requestID, /./);
    return true;
  });
});

test("8 embeddings.create gives the engine's numbers by the base64 path", async () => {
  const packed = await openai.embeddings.create({ input: ["one", "two words"] });
  const plain = await openai.embeddings.create({ input: ["one", "two words"], encoding_format: "float" });
  validate("EmbeddingList", plain);
  assert.equal(packed.data.length, 2);
  assert.ok(packed.data[0].embedding.length > 16);
  for (const [i, row] of packed.data.entries()) {
    assert.equal(row.index, i);
    assert.deepEqual([...row.embedding], plain.data[i].embedding.map(Math.fround));
  }
});

test("11 a client that leaves by break frees the car", async () => {
  const stream = await openai.chat.completions.create({
    messages: question, max_tokens: 1500, ignore_eos: true, stream: true,
  });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) break;
  }
  await until(async () => (await fleet.vehicles()).every((car) => car.active_requests === 0), 2000, "no work left");
});

test("12 a car killed in mid-stream: all of the text or a thrown error, never a short success", async () => {
  let finished = 0;
  for (let round = 0; round < 6; ++round) {
    const stream = await openai.chat.completions.create({
      messages: question, max_tokens: 300, ignore_eos: true, temperature: 0, stream: true,
      stream_options: { include_usage: true },
    });
    let chunks = 0;
    let usage;
    let reason;
    for await (const chunk of stream) {
      if (++chunks === 20 + 10 * round) await fleet.killServing(round % 2 ? "engine" : "agent");
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(reason, "length");
    assert.equal(usage.completion_tokens, 300);
    ++finished;
    await until(() => fleet.allReady(3), 20_000, "the killed car is back");
    await sleep(50);
  }
  assert.equal(finished, 6);
});
