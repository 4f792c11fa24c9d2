// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Does the official OpenAI client work? Against real engines.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { Cell } from "./cell.mjs";
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

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather at a place",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 12 }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};

test("4 stream().finalChatCompletion() with tools: calls merged", async () => {
  const final = await openai.chat.completions
    .stream({ messages: question, tools: [weather], tool_choice: "required", max_tokens: 600 })
    .finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(final.choices[0].finish_reason, "tool_calls");
  assert.equal(call.function.name, "get_weather");
  const { city, days } = JSON.parse(call.function.arguments);
  assert.equal(typeof city, "string");
  assert.ok(Number.isInteger(days));
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

// Counts the tries of one client.
function counted(cell, key, options) {
  const tries = { count: 0 };
  const counting = (...ask) => {
    ++tries.count;
    return fetch(...ask);
  };
  return [cell.client(key, { fetch: counting, ...options }), tries];
}

test("7 a 429 is tried again exactly as often as retry-after-ms and x-should-retry say", async () => {
  const cell = await Cell.start();
  try {
    const key = await cell.makeKey("--requests-per-minute", "100", "--tokens-per-minute", "100000", "--requests-at-once", "1");
    const [client, tries] = counted(cell, key, { maxRetries: 2 });
    const short = { messages: question, max_tokens: 4 };

    // The only place is taken for many seconds.
    const long = await cell.client(key).chat.completions.create({ ...short, max_tokens: 1900, n: 8, ignore_eos: true, stream: true });
    const reader = long[Symbol.asyncIterator]();
    await reader.next();
    const begun = Date.now();
    await assert.rejects(client.chat.completions.create(short), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      const after_s = Number(error.headers.get("retry-after"));
      assert.ok(Number.isInteger(after_s) && after_s >= 1);
      assert.equal(Number(error.headers.get("retry-after-ms")), 1000 * after_s);
      return true;
    });
    assert.equal(tries.count, 3, "one try and two more");
    assert.ok(Date.now() - begun >= 2000, "it waited as long as it was told, twice");
    await reader.return();

    // With the place free it is admitted, and the response says what is left.
    const freed = await until(() => client.chat.completions.create(short).asResponse().catch(() => undefined), 10_000, "the place is free");
    assert.equal(freed.headers.get("x-ratelimit-limit-requests"), "100");
    assert.ok(Number(freed.headers.get("x-ratelimit-remaining-requests")) >= 1);
    assert.match(freed.headers.get("x-ratelimit-reset-tokens"), /^[0-9.]+m?s$/);

    // What no wait can mend is tried once.
    const poor = await cell.makeKey("--tokens-per-minute", "50");
    const [hopeless, once] = counted(cell, poor, { maxRetries: 5 });
    await assert.rejects(hopeless.chat.completions.create({ ...short, max_tokens: 1000 }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get("x-should-retry"), "false");
      assert.equal(error.headers.get("retry-after"), null);
      return true;
    });
    assert.equal(once.count, 1);

    // A customer's key sees no cars.
    const denied = await cell.fetch("/api/v1/vehicles", { key });
    assert.equal(denied.status, 403);
    const { error } = await denied.json();
    assert.deepEqual([error.type, error.code, error.param], ["permission_error", "insufficient_permissions", null]);
  } finally {
    await cell.stop();
  }
});

test("T4 each status is the client's own class of error", async () => {
  const ask = (more, client = openai) => client.chat.completions.create({ messages: question, max_tokens: 1, ...more });
  await assert.rejects(ask({ temperature: 3 }), OpenAI.BadRequestError);
  await assert.rejects(ask({}, fleet.client({ apiKey: "wrong" })), OpenAI.AuthenticationError);
  await assert.rejects(ask({ data_class: "refuse" }), OpenAI.PermissionDeniedError);
  await assert.rejects(ask({ model: "none" }), OpenAI.NotFoundError);
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
