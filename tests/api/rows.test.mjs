// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The rules of an OpenAI-compatible server, one test each, named by what a client relies on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Fleet } from "./fleet.mjs";
import { validate } from "./schemas.mjs";

let fleet;
before(async () => {
  fleet = await Fleet.start({ vehicles: 2 });
});
after(() => fleet?.stop());

const messages = [{ role: "user", content: "hello" }];

async function chat(fields, options = {}) {
  return fleet.fetch("/v1/chat/completions", { method: "POST", body: { messages, max_tokens: 4, ...fields }, ...options });
}

async function answered(fields) {
  const response = await chat(fields);
  assert.equal(response.status, 200, await response.clone().text());
  return validate("ChatCompletion", await response.json());
}

// The error object that came with this status, code and parameter.
async function refused(response, { status, code, param = undefined, type = undefined }) {
  const body = await response.json();
  assert.equal(response.status, status, JSON.stringify(body));
  validate("Error", body);
  assert.match(response.headers.get("x-request-id") ?? "", /./);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  if (code !== undefined) assert.equal(body.error.code, code, JSON.stringify(body));
  if (param !== undefined) assert.equal(body.error.param, param, JSON.stringify(body));
  if (type !== undefined) assert.equal(body.error.type, type, JSON.stringify(body));
  return body.error;
}

async function events(response) {
  assert.equal(response.status, 200);
  const text = await response.text();
  const data = text.split("\n\n").filter((event) => event.startsWith("data: ")).map((event) => event.slice(6));
  assert.equal(data.at(-1), "[DONE]");
  return data.slice(0, -1).map((event) => validate("ChatCompletionChunk", JSON.parse(event)));
}

// ── transport ───────────────────────────────────────────────────────────────────────────────────

test("T1 an unknown path is a 404 error object", async () => {
  await refused(await fleet.fetch("/v1/nothing"), { status: 404, type: "invalid_request_error" });
});
test("T1 a trailing slash is accepted", async () => {
  assert.equal((await fleet.fetch("/v1/models/")).status, 200);
});
test("T2 every response has a request id, and they differ", async () => {
  const ids = new Set();
  for (const path of ["/v1/models", "/healthz", "/v1/nothing"]) ids.add((await fleet.fetch(path)).headers.get("x-request-id"));
  assert.equal(ids.size, 3);
  assert.ok(!ids.has(null));
});
test("T3 bad JSON is an error object", async () => {
  await refused(await fleet.fetch("/v1/chat/completions", { method: "POST", body: "{" }), { status: 400 });
});
test("T5 a failure that a retry cannot mend says so", async () => {
  const response = await chat({ data_class: "refuse" });
  assert.equal(response.status, 403);
});
test("T9 unknown fields are accepted", async () => {
  await answered({ some_new_field: { a: 1 }, user: "u", metadata: { a: "b" }, verbosity: "low" });
});
test("T10 a stream is an event stream without caching", async () => {
  const response = await chat({ stream: true });
  assert.match(response.headers.get("content-type"), /^text\/event-stream/);
  assert.match(response.headers.get("cache-control"), /no-cache/);
  await events(response);
});
test("T12 without an allow-list no origin is allowed", async () => {
  const response = await fleet.fetch("/v1/models", { headers: { origin: "https://evil.example" } });
  assert.equal(response.headers.get("access-control-allow-origin"), null);
});

// ── errors ──────────────────────────────────────────────────────────────────────────────────────

test("a wrong key is 401 invalid_api_key", async () => {
  await refused(await fleet.fetch("/v1/models", { key: "wrong" }), { status: 401, code: "invalid_api_key", param: null, type: "invalid_request_error" });
  await refused(await fleet.fetch("/v1/models", { key: "" }), { status: 401, code: "invalid_api_key" });
});
test("an unknown model is 404 model_not_found", async () => {
  await refused(await chat({ model: "x" }), { status: 404, code: "model_not_found", param: "model" });
  await refused(await fleet.fetch("/v1/models/a%2Fb%3Ac"), { status: 404, code: "model_not_found", param: "model" });
});
test("a prompt that is too long is context_length_exceeded", async () => {
  const long = [{ role: "user", content: "word ".repeat(5000) }];
  await refused(await chat({ messages: long }), { status: 400, code: "context_length_exceeded", param: "messages" });
});
test("stored completions are not offered, and that is said", async () => {
  await refused(await fleet.fetch("/v1/chat/completions/chatcmpl-1"), { status: 404 });
});

// ── models ──────────────────────────────────────────────────────────────────────────────────────

test("models list and retrieve", async () => {
  const list = validate("ModelList", await (await fleet.fetch("/v1/models")).json());
  const one = await fleet.fetch(`/v1/models/${encodeURIComponent(list.data[0].id)}`);
  assert.equal(validate("Model", await one.json()).id, list.data[0].id);
});

// ── chat: fields ────────────────────────────────────────────────────────────────────────────────

test("messages: developer role, parts, and null content beside tool calls", async () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
  await answered({
    messages: [
      { role: "developer", content: "Be short." },
      { role: "user", content: [{ type: "text", text: "one" }, { type: "text", text: "two" }] },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "call_1", content: "3" },
    ],
    tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }],
    tool_choice: "none",
  });
});
test("an image is refused where no engine takes images", async () => {
  const parts = [{ type: "text", text: "what?" }, { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }];
  const error = await refused(await chat({ messages: [{ role: "user", content: parts }] }), { status: 400 });
  assert.match(error.message, /image/i);
});
test("max_completion_tokens wins, both different is 400", async () => {
  const answer = await answered({ max_tokens: undefined, max_completion_tokens: 3 });
  assert.equal(answer.usage.completion_tokens, 3);
  await refused(await chat({ max_tokens: 3, max_completion_tokens: 4 }), { status: 400 });
});
for (const [field, bad] of [["temperature", 2.1], ["top_p", 1.1], ["presence_penalty", -3], ["frequency_penalty", 3], ["top_logprobs", 21], ["n", 0], ["n", 129], ["stop", ["a", "b", "c", "d", "e"]]]) {
  test(`${field}: ${JSON.stringify(bad)} is 400 and names it`, async () => {
    const more = field === "top_logprobs" ? { logprobs: true } : {};
    const error = await refused(await chat({ [field]: bad, ...more }), { status: 400 });
    assert.match(String(error.param), new RegExp(`^${field}`));
  });
}
test("n answers have their own index", async () => {
  const answer = await answered({ n: 2, temperature: 1 });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1]);
  const streamed = await events(await chat({ n: 2, stream: true, temperature: 1 }));
  const finished = streamed.flatMap((chunk) => chunk.choices).filter((choice) => choice.finish_reason).map((choice) => choice.index);
  assert.deepEqual(finished.sort(), [0, 1]);
});
test("seed: the same seed gives the same text", async () => {
  const fields = { seed: 7, temperature: 1, max_tokens: 24 };
  const [a, b] = [await answered(fields), await answered(fields)];
  assert.equal(a.choices[0].message.content, b.choices[0].message.content);
});
test("stop: the text ends before the word", async () => {
  const whole = (await answered({ max_tokens: 60, temperature: 0 })).choices[0].message.content;
  const word = whole.slice(8, 11);
  const cut = await answered({ max_tokens: 60, temperature: 0, stop: word });
  assert.ok(!cut.choices[0].message.content.includes(word));
  assert.equal(cut.choices[0].finish_reason, "stop");
  assert.ok(whole.startsWith(cut.choices[0].message.content));
});
test("stream_options without stream is 400", async () => {
  await refused(await chat({ stream_options: { include_usage: true } }), { status: 400, param: "stream_options" });
});
test("logprobs: one entry a token, chosen ones only when asked", async () => {
  const none = await answered({});
  assert.equal(none.choices[0].logprobs, null);
  const some = await answered({ logprobs: true, top_logprobs: 2, temperature: 0, max_tokens: 6 });
  const entries = some.choices[0].logprobs.content;
  assert.ok(entries.length >= 1);
  for (const entry of entries) assert.ok(entry.logprob <= 0 && entry.top_logprobs.length <= 2);
  await refused(await chat({ top_logprobs: 2 }), { status: 400, param: "top_logprobs" });
});
test("response_format json_object and json_schema give JSON", async () => {
  const schema = { type: "object", properties: { a: { type: "integer", minimum: 0, maximum: 99 } }, required: ["a"], additionalProperties: false };
  const bound = await answered({ max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "s", schema } } });
  assert.equal(typeof JSON.parse(bound.choices[0].message.content).a, "number");
  await refused(await chat({ response_format: { type: "json_schema", json_schema: { name: "bad name!", schema } } }), { status: 400 });
  await refused(await chat({ response_format: { type: "yaml" } }), { status: 400 });
});
for (const [field, value] of [["store", true], ["web_search_options", {}], ["functions", [{ name: "f" }]], ["modalities", ["text", "audio"]]]) {
  test(`${field} is not supported and says so`, async () => {
    const error = await refused(await chat({ [field]: value }), { status: 400, code: "unsupported_parameter" });
    assert.match(String(error.param), new RegExp(`^${field}`));
  });
}
test("a request says which data class held", async () => {
  const response = await chat({}, { headers: { "x-idlewatt-data-class": "public" } });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("x-idlewatt-data-class"), "public");
});

// ── streams ─────────────────────────────────────────────────────────────────────────────────────

test("S1 one id and time in all chunks, the role first, one finish reason", async () => {
  const chunks = await events(await chat({ stream: true, max_tokens: 8 }));
  assert.equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created}`)).size, 1);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.equal(chunks.filter((chunk) => chunk.choices[0].finish_reason).length, 1);
});
test("S2 without include_usage no chunk speaks of usage", async () => {
  for (const chunk of await events(await chat({ stream: true }))) {
    assert.ok(!("usage" in chunk) || chunk.usage === null);
    assert.equal(chunk.choices.length, 1);
  }
});
// ── completions and embeddings ──────────────────────────────────────────────────────────────────

async function complete(fields) {
  return fleet.fetch("/v1/completions", { method: "POST", body: { max_tokens: 4, ...fields } });
}
test("completions: text, several prompts, token ids, default length 16", async () => {
  for (const prompt of ["The car", ["one", "two"], [1, 50, 60], [[1, 50], [1, 60]]]) {
    const response = await complete({ prompt });
    assert.equal(response.status, 200, await response.clone().text());
    const body = validate("Completion", await response.json());
    const several = Array.isArray(prompt) && typeof prompt[0] !== "number";
    assert.equal(body.choices.length, several ? 2 : 1);
  }
  const long = validate("Completion", await (await complete({ prompt: "x", max_tokens: undefined, ignore_eos: true })).json());
  assert.equal(long.usage.completion_tokens, 16);
});
test("completions: logprobs, echo, stream; best_of above 1 is 400", async () => {
  const echoed = validate("Completion", await (await complete({ prompt: "The car", echo: true })).json());
  assert.ok(echoed.choices[0].text.startsWith("The car"));
  const body = validate("Completion", await (await complete({ prompt: "The car", logprobs: 2 })).json());
  assert.ok(body.choices[0].logprobs.tokens.length >= 1);
  await refused(await complete({ prompt: "x", echo: true, logprobs: 1 }), { status: 400, param: "echo" });
  const text = await (await complete({ prompt: "The car", stream: true })).text();
  assert.ok(text.trimEnd().endsWith("data: [DONE]"));
  await refused(await complete({ prompt: "x", best_of: 2 }), { status: 400, param: "best_of" });
});

async function embed(fields) {
  return fleet.fetch("/v1/embeddings", { method: "POST", body: fields });
}
test("embeddings: text, lists and token ids as float and base64", async () => {
  for (const input of ["a", ["a", "b"], [1, 50, 60], [[1, 50], [1, 60]]]) {
    const response = await embed({ input });
    assert.equal(response.status, 200, await response.clone().text());
    validate("EmbeddingList", await response.json());
  }
  const packed = await (await embed({ input: "a", encoding_format: "base64" })).json();
  const plain = await (await embed({ input: "a", encoding_format: "float" })).json();
  const bytes = Buffer.from(packed.data[0].embedding, "base64");
  assert.equal(bytes.length, 4 * plain.data[0].embedding.length);
  assert.equal(bytes.readFloatLE(0), Math.fround(plain.data[0].embedding[0]));
});
test("embeddings: an empty or too long input is 400", async () => {
  await refused(await embed({ input: [] }), { status: 400, param: "input" });
  await refused(await embed({ input: new Array(2049).fill("a") }), { status: 400, param: "input" });
});
