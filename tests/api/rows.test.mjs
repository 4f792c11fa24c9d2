// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The rules of an OpenAI-compatible server, one test each, named by what a client relies on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Fleet, sleep, until } from "./fleet.mjs";
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
test("T1 the scheme of a key is read in any case", async () => {
  for (const scheme of ["bearer", "BEARER", "Bearer"]) {
    const response = await fleet.fetch("/v1/models", { key: "", headers: { authorization: `${scheme} ${fleet.key}` } });
    assert.equal(response.status, 200, scheme);
  }
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
test("T7 a response says how long it took and whom it may go to", async () => {
  const response = await chat({});
  assert.match(response.headers.get("openai-processing-ms"), /^[0-9]+$/);
  assert.equal(response.headers.get("x-idlewatt-data-class"), "public");
});
test("T9 unknown fields are accepted, and those without a meaning here", async () => {
  await answered({
    some_new_field: { a: 1 }, user: "u", metadata: { a: "b" }, verbosity: "low", safety_identifier: "s", prompt_cache_key: "k",
    modalities: ["text"], prediction: { type: "content", content: "x" }, store: false, reasoning_effort: "low", function_call: "auto",
  });
});
test("T9 a model lists the fields that it takes", async () => {
  const { data } = await (await fleet.fetch("/v1/models")).json();
  for (const name of ["tools", "response_format", "logprobs", "stop", "seed"]) assert.ok(data[0].supported_parameters.includes(name), name);
});
test("T10 a stream is an event stream without caching", async () => {
  const response = await chat({ stream: true });
  assert.match(response.headers.get("content-type"), /^text\/event-stream/);
  assert.match(response.headers.get("cache-control"), /no-cache/);
  assert.equal(response.headers.get("content-encoding"), null);
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
test("a schema error is invalid_value and names the place", async () => {
  const parts = [{ type: "text" }];
  await refused(await chat({ messages: [{ role: "user", content: parts }] }), { status: 400, code: "invalid_value", param: "messages[0].content[0].text", type: "invalid_request_error" });
});
test("a role that is none is 400 and the text lists what there is", async () => {
  const error = await refused(await chat({ messages: [{ role: "alien", content: "x" }] }), { status: 400, param: "messages[0].role" });
  for (const role of ["system", "developer", "user", "assistant", "tool", "'alien'"]) assert.ok(error.message.includes(role), error.message);
});
test("a wrong field of the engine's own is our 400 and names it", async () => {
  for (const [field, bad] of [["top_k", "a"], ["min_p", true], ["ignore_eos", 1]]) {
    const error = await refused(await chat({ [field]: bad }), { status: 400, code: "invalid_value", param: field });
    assert.ok(!error.message.includes("exception"), error.message);
  }
  const deeper = await refused(await chat({ samplers: { a: 1 }, dry_sequence_breakers: "x" }), { status: 400 });
  assert.ok(!deeper.message.includes("exception"), deeper.message);
});
test("a body that is too large is 413 request_too_large", async () => {
  const response = await chat({ messages: [{ role: "user", content: "x".repeat(17 << 20) }] }).catch((error) => error);
  // A server may close the connection while such a body is still on its way.
  if (response instanceof Response) await refused(response, { status: 413, code: "request_too_large", type: "invalid_request_error" });
  else assert.match(String(response.cause?.code), /EPIPE|ECONNRESET|UND_ERR_SOCKET/);
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

test("a model says what it can and how many cars have it", async () => {
  const { data } = await (await fleet.fetch("/v1/models")).json();
  assert.ok(data[0].context_length > 0);
  assert.ok(data[0].capacity.vehicles_ready >= 1);
  assert.deepEqual(data[0].architecture.input_modalities, ["text"]);
});
test("a model is deleted at the coordinator only", async () => {
  const { data } = await (await fleet.fetch("/v1/models")).json();
  await refused(await fleet.fetch(`/v1/models/${encodeURIComponent(data[0].id)}`, { method: "DELETE" }), { status: 403, code: "insufficient_permissions", type: "permission_error" });
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
for (const [field, bad] of [["temperature", 2.1], ["top_p", 1.1], ["presence_penalty", -3], ["frequency_penalty", 3], ["top_logprobs", 21], ["n", 0], ["n", 129], ["stop", ["a", "b", "c", "d", "e"]], ["stop", [""]], ["stop", ""], ["seed", 0.5], ["logit_bias", { x: 1 }], ["service_tier", "gold"], ["reasoning_effort", "huge"]]) {
  test(`${field}: ${JSON.stringify(bad)} is 400 and names it`, async () => {
    const more = field === "top_logprobs" ? { logprobs: true } : {};
    const error = await refused(await chat({ [field]: bad, ...more }), { status: 400 });
    assert.match(String(error.param), new RegExp(`^${field}`));
    if (Array.isArray(bad) && bad.length > 4) assert.match(error.message, /at most 4/);
  });
}
test("the limits themselves are allowed", async () => {
  await answered({ temperature: 2, top_p: 1, presence_penalty: -2, frequency_penalty: 2, n: 1, stop: ["zq", "zx", "zy", "zw"], logit_bias: { 300: -100 } });
});
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
  assert.equal(a.system_fingerprint, b.system_fingerprint);
});
test("4b system_fingerprint names what answered, in every body and chunk", async () => {
  const { system_fingerprint: fingerprint } = await answered({});
  assert.match(fingerprint, /^fp_[0-9a-f]{10}$/);
  const chunks = await events(await chat({ stream: true, stream_options: { include_usage: true } }));
  for (const chunk of chunks) assert.equal(chunk.system_fingerprint, fingerprint);
  assert.equal((await (await complete({ prompt: "x" })).json()).system_fingerprint, fingerprint);
});
test("4b the numbers of tokens add up, and nothing is missing", async () => {
  const answer = await answered({ service_tier: "flex" });
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.prompt_tokens_details.cached_tokens <= answer.usage.prompt_tokens);
  assert.equal(answer.usage.completion_tokens_details.reasoning_tokens, 0);
  assert.ok(Math.abs(answer.created - Date.now() / 1000) < 600);
  assert.equal(answer.choices[0].message.refusal, null);
  assert.equal(answer.choices[0].logprobs, null);
});
test("service_tier: what was really used is said", async () => {
  assert.equal((await answered({ service_tier: "flex" })).service_tier, "default");
  assert.equal((await answered({})).service_tier, undefined);
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
test("stream_options.include_obfuscation is accepted, and nothing is sent for it", async () => {
  for (const chunk of await events(await chat({ stream: true, stream_options: { include_obfuscation: true } }))) assert.ok(!("obfuscation" in chunk));
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
  for (const format of [{ type: "json_object" }, { type: "json_object", schema }]) {
    const answer = await answered({ max_tokens: 1000, response_format: format, temperature: 0 });
    // A model may make an object of any size where it may; what is whole is JSON.
    if (answer.choices[0].finish_reason === "stop") assert.equal(typeof JSON.parse(answer.choices[0].message.content), "object");
    else assert.ok(answer.choices[0].message.content.trimStart().startsWith("{"));
  }
  await answered({ response_format: { type: "text" } });
  const param = "response_format";
  await refused(await chat({ response_format: { type: "json_schema", json_schema: { name: "bad name!", schema } } }), { status: 400, param });
  await refused(await chat({ response_format: { type: "json_schema", json_schema: { name: "x".repeat(65), schema } } }), { status: 400, param });
  await refused(await chat({ response_format: { type: "yaml" } }), { status: 400, param });
});
test("response_format: members come in the schema's order", async () => {
  const flag = { type: "boolean" };
  const schema = { type: "object", properties: { why: flag, because: flag, answer: flag }, required: ["why", "because", "answer"], additionalProperties: false };
  const answer = await answered({ max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "s", schema } } });
  assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ["why", "because", "answer"]);
});

const flagged = (name) => ({ type: "function", function: { name, parameters: { type: "object", properties: { x: { type: "boolean" } }, required: ["x"], additionalProperties: false } } });
test("tools: plain answer with a call, custom tools are 400", async () => {
  const answer = await answered({ tools: [flagged("f")], tool_choice: { type: "function", function: { name: "f" } }, max_tokens: 300 });
  assert.equal(answer.choices[0].finish_reason, "tool_calls");
  assert.equal(answer.choices[0].message.content, null);
  assert.equal(typeof JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments).x, "boolean");
  await refused(await chat({ tools: [{ type: "custom", custom: { name: "c" } }] }), { status: 400, code: "unsupported_parameter", param: "tools[0].type" });
});
test("tool_choice: whom it names is called, and a demand is never answered by text", async () => {
  const tools = [flagged("f"), flagged("g"), flagged("h")];
  const reference = (name) => ({ type: "function", function: { name } });
  const allowed = (mode) => ({ type: "allowed_tools", allowed_tools: { mode, tools: [reference("g"), reference("h")] } });
  for (const [choice, names] of [["required", ["f", "g", "h"]], [reference("h"), ["h"]], [allowed("required"), ["g", "h"]]]) {
    const [{ finish_reason, message }] = (await answered({ tools, tool_choice: choice, max_tokens: 300, parallel_tool_calls: false, stop: ["{"] })).choices;
    assert.equal(finish_reason, "tool_calls");
    assert.equal(message.tool_calls.length, 1, "parallel_tool_calls: false means one");
    assert.ok(names.includes(message.tool_calls[0].function.name));
  }
  const [none] = (await answered({ tools, tool_choice: "none" })).choices;
  assert.equal(none.message.tool_calls, undefined);
  await answered({ tools, tool_choice: allowed("auto") });
  // Too few tokens for a call are said to be too few.
  const [cut] = (await answered({ tools, tool_choice: "required", max_tokens: 3 })).choices;
  assert.deepEqual([cut.finish_reason, cut.message.content, cut.message.tool_calls], ["length", "", undefined]);
  await refused(await chat({ tools, tool_choice: reference("nobody") }), { status: 400, param: "tool_choice" });
  await refused(await chat({ tool_choice: "required" }), { status: 400, param: "tool_choice" });
});
for (const [field, value] of [["store", true], ["web_search_options", {}], ["functions", [{ name: "f" }]], ["modalities", ["text", "audio"]], ["audio", { voice: "v" }], ["function_call", { name: "f" }]]) {
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
test("S2 with include_usage every chunk says null, then one says it all", async () => {
  const chunks = await events(await chat({ stream: true, stream_options: { include_usage: true } }));
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  assert.equal(last.usage.completion_tokens, 4);
  for (const chunk of chunks) assert.deepEqual([chunk.usage, chunk.choices.length], [null, 1]);
});
test("S3 tool call deltas carry an index, id and name in the first only", async () => {
  const chunks = await events(await chat({ stream: true, tools: [flagged("f")], tool_choice: "required", max_tokens: 300 }));
  const deltas = chunks.flatMap((chunk) => chunk.choices.flatMap((choice) => choice.delta.tool_calls ?? []));
  assert.ok(deltas.length >= 1);
  for (const delta of deltas) assert.ok(Number.isInteger(delta.index));
  assert.equal(deltas.filter((delta) => delta.index === 0 && delta.id).length, 1);
  assert.equal(deltas.filter((delta) => delta.index === 0 && delta.function?.name).length, 1);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
});

// One car only, which its owner takes while it answers.
test("T8 S4 S5 S6 a car that leaves for good: comments, then an error, never a short success", async () => {
  const alone = await Fleet.start({ vehicles: 1 });
  try {
    const body = { messages, max_tokens: 1500, ignore_eos: true };
    const post = (more) => alone.fetch("/v1/chat/completions", { method: "POST", body: { ...body, ...more } });
    const plain = post({});
    const streamed = await post({ stream: true });
    assert.equal(streamed.status, 200);
    const begun = await until(async () => (await alone.vehicles()).find((car) => car.active_requests > 0), 5000, "it works");
    await sleep(100);
    await alone.fetch(`/api/v1/vehicles/${begun.id}/signals`, { method: "POST", body: { occupied: true } });

    let text = "";
    let longest = 0;
    let heard = Date.now();
    for await (const part of streamed.body.pipeThrough(new TextDecoderStream())) {
      longest = Math.max(longest, Date.now() - heard);
      heard = Date.now();
      text += part;
    }
    assert.match(text, /^: /m, "T8 a comment while it waits");
    assert.ok(longest <= 10_000, `T8 silent for ${longest} ms`);
    const last = JSON.parse(text.trimEnd().split("\n\n").at(-1).replace(/^data: /, ""));
    assert.equal(validate("Error", last).error.code, "worker_preempted", "S4");
    assert.equal(last.error.type, "server_error");
    assert.match(last.error.message, /What was sent is valid/);
    assert.ok(!text.includes("[DONE]") && !text.includes('"finish_reason":"'), "S5");

    const whole = await refused(await plain, { status: 500, code: "worker_preempted", type: "server_error" });
    assert.match(whole.message, /Nothing of the answer was sent/);

    // S6: nobody has accepted it, so it is a status, also where a stream is wanted.
    for (const stream of [false, true]) {
      const nobody = await post({ stream });
      assert.ok(Number(nobody.headers.get("retry-after")) >= 1);
      await refused(nobody, { status: 503, code: "no_capacity", type: "service_unavailable_error", param: null });
    }
  } finally {
    await alone.stop();
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
  const probable = body.choices[0].logprobs;
  assert.deepEqual(Object.keys(probable).sort(), ["text_offset", "token_logprobs", "tokens", "top_logprobs"]);
  assert.equal(probable.tokens.length, probable.text_offset.length);
});

test("completions: echo with logprobs is refused with the reason", async () => {
  const error = await refused(await complete({ prompt: "x", echo: true, logprobs: 0 }), { status: 400, code: "unsupported_parameter", param: "echo" });
  assert.match(error.message, /prompt/);
});
test("completions: n, stop and seed as in chats; suffix and wrong logprobs are 400", async () => {
  const two = validate("Completion", await (await complete({ prompt: ["a", "b"], n: 2, temperature: 1, seed: 1 })).json());
  assert.deepEqual(two.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  const whole = await (await complete({ prompt: "The car", max_tokens: 60, temperature: 0 })).json();
  const word = whole.choices[0].text.slice(8, 11);
  const cut = await (await complete({ prompt: "The car", max_tokens: 60, temperature: 0, stop: [word] })).json();
  assert.ok(!cut.choices[0].text.includes(word));
  await refused(await complete({ prompt: "x", suffix: "y" }), { status: 400, code: "unsupported_parameter", param: "suffix" });
  await refused(await complete({ prompt: "x", logprobs: 6 }), { status: 400, param: "logprobs" });
  await refused(await complete({ prompt: "x", best_of: 21 }), { status: 400, param: "best_of" });
  await refused(await complete({ prompt: [] }), { status: 400, param: "prompt" });
  await refused(await complete({ prompt: [1], echo: true }), { status: 400, param: "echo" });
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
test("embeddings: the vectors' own length is the only one, formats are two", async () => {
  const { data } = await (await embed({ input: "a" })).json();
  assert.equal((await embed({ input: "a", dimensions: data[0].embedding.length })).status, 200);
  await refused(await embed({ input: "a", dimensions: 3 }), { status: 400, param: "dimensions" });
  await refused(await embed({ input: "a", encoding_format: "hex" }), { status: 400, param: "encoding_format" });
  await refused(await embed({ input: ["a", ""] }), { status: 400, param: "input" });
});
