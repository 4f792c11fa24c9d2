// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Schema-bound answers and calls of functions whose car is killed with -9 in the middle: always
// valid, and nothing that was sent is contradicted. IDLEWATT_ROUNDS of each kind (8; `make soak`: 200).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import Ajv from "ajv/dist/2020.js";

import { Fleet, sleep } from "./fleet.mjs";

const rounds = Number(process.env.IDLEWATT_ROUNDS ?? 8);
const ajv = new Ajv();

const schema = {
  type: "object",
  properties: {
    place: { type: "string", maxLength: 40 },
    level: { type: "integer", minimum: 0, maximum: 100 },
    notes: { type: "array", items: { type: "string", maxLength: 24 }, minItems: 4, maxItems: 6 },
    ready: { type: "boolean" },
  },
  required: ["place", "level", "notes", "ready"],
  additionalProperties: false,
};

const tool = { type: "function", function: { name: "book", parameters: schema } };

let fleet;
let openai;
before(async () => {
  fleet = await Fleet.start({ vehicles: 4 });
  openai = fleet.client();
});
after(() => fleet?.stop());

// The whole answer and the number of kills that hit it.
async function churned(request, round) {
  let text = "";
  let reason;
  const calls = [];
  let killed = 0;
  const kill_at_ms = 20 + ((round * 37) % 400);
  const killer = (async () => {
    await sleep(kill_at_ms);
    if (await fleet.killServing(round % 2 ? "engine" : "agent")) ++killed;
  })();
  // A call is held back until it is whole: the response may begin long after the work.
  const stream = await openai.chat.completions.create({ ...request, stream: true, seed: round, max_tokens: 900 });
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (!choice) continue;
    text += choice.delta.content ?? "";
    for (const part of choice.delta.tool_calls ?? []) {
      const call = (calls[part.index] ??= { id: "", name: "", arguments: "" });
      call.id += part.id ?? "";
      call.name += part.function?.name ?? "";
      call.arguments += part.function?.arguments ?? "";
    }
    reason = choice.finish_reason ?? reason;
  }
  await killer;
  return { text, reason, calls, killed };
}

async function spaced(work) {
  let kills = 0;
  for (let round = 0; round < rounds; ++round) {
    kills += (await work(round)).killed;
    // Two cars are always ready: the killed ones restart within half a second.
    for (let i = 0; i < 200 && (await fleet.vehicles()).filter((car) => car.reason === "ok").length < 3; ++i) await sleep(20);
  }
  return kills;
}

test("schema-bound answers survive the car", async () => {
  const valid = ajv.compile(schema);
  const kills = await spaced(async (round) => {
    const answer = await churned(
      {
        messages: [{ role: "user", content: `Fill in form ${round}` }],
        response_format: { type: "json_schema", json_schema: { name: "form", strict: true, schema } },
      },
      round,
    );
    assert.equal(answer.reason, "stop", `round ${round}: ${answer.text}`);
    assert.ok(valid(JSON.parse(answer.text)), `round ${round}: ${ajv.errorsText(valid.errors)} in ${answer.text}`);
    return answer;
  });
  console.log(`${rounds} schema-bound answers, ${kills} hit by a kill: all valid`);
  assert.ok(kills >= rounds / 4, `only ${kills} of ${rounds} were hit`);
});

test("tool calls survive the car", async () => {
  const valid = ajv.compile(schema);
  const kills = await spaced(async (round) => {
    const answer = await churned(
      { messages: [{ role: "user", content: `Book slot ${round}` }], tools: [tool], tool_choice: "required" },
      round,
    );
    assert.equal(answer.reason, "tool_calls", `round ${round}: ${JSON.stringify(answer)}`);
    assert.ok(answer.calls.length >= 1);
    assert.equal(new Set(answer.calls.map((call) => call.id)).size, answer.calls.length);
    for (const call of answer.calls) {
      assert.equal(call.name, "book");
      assert.ok(valid(JSON.parse(call.arguments)), `round ${round}: ${ajv.errorsText(valid.errors)}`);
    }
    return answer;
  });
  console.log(`${rounds} tool-calling answers, ${kills} hit by a kill: all valid`);
  assert.ok(kills >= rounds / 4, `only ${kills} of ${rounds} were hit`);
});
