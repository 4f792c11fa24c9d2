// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A real fleet of parked cars for one test file: `idlewatt demo --keep` with real engines, ended with
// the tests. IDLEWATT_PROGRAM names the program.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";

import OpenAI from "openai";

const start_limit_ms = 60_000;
const source_dir = new URL("../..", import.meta.url).pathname;
export const program = process.env.IDLEWATT_PROGRAM ?? join(source_dir, "build/release/bin/idlewatt");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(condition, limit_ms, what) {
  const end = Date.now() + limit_ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limit_ms} ms: ${what}`);
    await sleep(20);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Fleet {
  // vehicles: how many cars; model: a GGUF file, or nothing for one with random weights, which says much.
  static async start({ vehicles = 3, model } = {}) {
    const fleet = new Fleet();
    fleet.state = await mkdtemp(join(tmpdir(), "idlewatt-api-"));
    fleet.key = "test-key";
    const port = await freePort();
    fleet.url = `http://127.0.0.1:${port}`;
    const options = ["demo", "--keep", "--traffic", "off", "--vehicles", String(vehicles)];
    options.push("--scenario", join(source_dir, "examples/always_parked.toml"));
    options.push("--port", String(port), "--api-key", fleet.key, "--state", fleet.state);
    options.push(...(model ? ["--model", model] : ["--random-model"]));
    fleet.log = "";
    fleet.process = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
    fleet.process.stderr.on("data", (bytes) => (fleet.log = (fleet.log + bytes).slice(-20_000)));
    fleet.ended = new Promise((resolve) => fleet.process.once("exit", resolve));
    try {
      await until(() => fleet.allReady(vehicles), start_limit_ms, "all cars ok");
    } catch (error) {
      await fleet.stop();
      throw new Error(`${error.message}\n${fleet.log}`);
    }
    return fleet;
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
    await rm(this.state, { recursive: true, force: true });
  }

  client(options = {}) {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: this.key, maxRetries: 0, ...options });
  }

  fetch(path, { method = "GET", headers = {}, body, key = this.key } = {}) {
    const all = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers };
    if (body !== undefined) all["content-type"] ??= "application/json";
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    return fetch(this.url + path, { method, headers: all, body: text });
  }

  async vehicles() {
    const response = await this.fetch("/api/v1/vehicles").catch(() => undefined);
    return response?.ok ? response.json() : [];
  }

  async allReady(count) {
    const cars = await this.vehicles();
    return cars.length >= count && cars.every((car) => car.reason === "ok");
  }

  // kill -9 of the agent or the engine of the car that answers now; its name, or nothing.
  async killServing(part = "agent") {
    const serving = (await this.vehicles()).find((car) => car.active_requests > 0);
    if (!serving) return undefined;
    const file = join(this.state, "vehicles", serving.id, `${part}.pid`);
    const pid = Number((await readFile(file, "utf8").catch(() => "0")).trim());
    if (!(pid > 1)) return undefined;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      return undefined;
    }
    return serving.id;
  }
}
