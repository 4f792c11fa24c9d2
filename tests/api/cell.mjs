// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A whole cell for one test file: `idlewatt up` with a coordinator that makes keys, ended with the
// tests. IDLEWATT_PROGRAM names the program.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import OpenAI from "openai";

import { program, until } from "./fleet.mjs";

const run = promisify(execFile);
const start_limit_ms = 90_000;

export class Cell {
  // env: settings of all its programs, such as IDLEWATT_AGENT_CONTEXT_TOKENS.
  static async start({ vehicles = 1, env = {} } = {}) {
    const cell = new Cell();
    cell.state = await mkdtemp(join(tmpdir(), "idlewatt-cell-"));
    cell.env = { ...process.env, ...env };
    const options = ["up", "--json", "--vehicles", String(vehicles), "--state", cell.state];
    options.push("--port", "0", "--coordinator-port", "0");
    cell.process = spawn(program, options, { env: cell.env, stdio: ["ignore", "pipe", "pipe"] });
    cell.log = "";
    cell.process.stderr.on("data", (bytes) => (cell.log = (cell.log + bytes).slice(-20_000)));
    let out = "";
    cell.process.stdout.on("data", (bytes) => (out += bytes));
    cell.ended = new Promise((resolve) => cell.process.once("exit", resolve));
    try {
      await until(() => out.includes("\n") || cell.process.exitCode !== null, start_limit_ms, "the cell is up");
      cell.where = JSON.parse(out.split("\n")[0]);
    } catch (error) {
      await cell.stop();
      throw new Error(`${error.message}\n${cell.log}`);
    }
    return cell;
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
    await rm(this.state, { recursive: true, force: true });
  }

  // A command of the program, asked of this cell; what it writes to stdout.
  async command(...words) {
    const env = {
      ...this.env,
      IDLEWATT_URL: this.where.url,
      IDLEWATT_COORDINATOR_URL: this.where.coordinator_url,
      IDLEWATT_API_KEY_FILE: this.where.api_key_file,
    };
    return (await run(program, words, { env })).stdout.trim();
  }

  // The secret of a new key which the gateway knows already: makeKey("--requests-at-once", "1").
  async makeKey(...options) {
    const secret = await this.command("key", "create", ...options);
    await until(async () => (await this.fetch("/v1/models", { key: secret })).status !== 401, 10_000, "the key is known");
    return secret;
  }

  client(key, options = {}) {
    return new OpenAI({ baseURL: `${this.where.url}/v1`, apiKey: key, maxRetries: 0, ...options });
  }

  fetch(path, { method = "GET", headers = {}, body, key } = {}) {
    const all = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
    return fetch(this.where.url + path, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body) });
  }
}
