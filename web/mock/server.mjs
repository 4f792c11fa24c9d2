#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Plays a gateway for the page: node web/mock/server.mjs [--cars 6] [--busy 4] [--port 0] [--key K] [--story]
// The page is served from web/dist. Tests steer it by POST /mock/ACTION?car=ID: recall, kill, back, freeze, cut, thaw, restart, break, quiet, ask,
// join, notice?text=WORDS; GET /mock/state tells what was sent.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { Fleet, encodeIds } from './fleet.mjs';

const batch_ms = 200; // five changes a second
const rows_max = 1000; // of cars in one change
const answers_shown_max = 64;
const text_shown_max = 400;
const history_max = 50;
const columns = ['reason', 'state_of_charge_percent'];
const workColumns = ['tokens_per_second', 'active_requests'];
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', txt: 'text/plain; charset=utf-8' };

export async function startMock({ cars = 6, busy = 4, port = 0, key = '', story = false, seed = 1 } = {}) {
    const mock = new Mock({ cars, busy, key, story, seed });
    await new Promise((done) => mock.server.listen(port, '127.0.0.1', done));
    mock.port = mock.server.address().port;
    mock.url = `http://127.0.0.1:${mock.port}/`;
    return mock;
}

class Mock {
    constructor(options) {
        Object.assign(this, options);
        this.streams = new Set();
        this.snapshots = 0;
        this.resumed = 0;
        this.bytes = 0;
        this.restart();
        this.server = createServer((request, response) => this.serve(request, response));
        this.timer = setInterval(() => this.beat(), batch_ms);
        if (this.story) this.storyTimer = setInterval(() => this.tell(), 2600);
    }

    // A new life: other sequences, other numbers of cars.
    restart() {
        this.fleet = new Fleet(this.cars, this.seed++);
        this.life = Math.random().toString(36).slice(2, 8);
        this.sequence = 0;
        this.history = [];
        this.frozen = this.cutOff = false;
        this.notice = this.noticeTold = null;
        this.heardAt = Date.now();
        this.fleet.step(0.2, this.busy);
        this.fleet.ended = [];
        this.remember();
    }

    close() {
        clearInterval(this.timer);
        clearInterval(this.storyTimer);
        this.dropStreams();
        this.server.close();
        this.server.closeAllConnections?.();
    }

    dropStreams() {
        for (const stream of this.streams) stream.destroy();
        this.streams.clear();
    }

    remember() {
        this.rows = this.fleet.rows();
        this.work = this.fleet.work();
        this.known = this.fleet.cars.length;
        this.totals = JSON.stringify(this.fleet.totals());
        this.told = new Map(this.shown().map((answer) => [answer.id, { ...answer }]));
    }

    shown() {
        return [...this.fleet.answers.values()].slice(-answers_shown_max);
    }

    head() {
        return { sequence: this.sequence, at: new Date().toISOString(), heard_age_ms: Date.now() - this.heardAt };
    }

    beat() {
        if (this.frozen) {
            for (const stream of this.streams) stream.write(': alive\n\n');
            return;
        }
        if (!this.cutOff) {
            this.heardAt = Date.now() - 40;
            this.fleet.step(batch_ms / 1000, this.busy);
        }
        this.sequence++;
        const change = this.head();
        const rows = this.fleet.rows();
        if (this.fleet.cars.length > this.known) change.vehicle_ids = encodeIds(this.fleet.cars.slice(this.known).map((car) => car.id), this.fleet.cars[this.known - 1].id);
        const cells = [];
        rows.forEach((row, i) => {
            if (String(row) !== String(this.rows[i]) && cells.length < rows_max * 3) cells.push(i, ...row);
        });
        if (cells.length) change.vehicles = cells;
        const work = this.fleet.work();
        const workCells = [];
        for (const [number, row] of work) if (String(row) !== String(this.work.get(number))) workCells.push(number, ...row);
        for (const number of this.work.keys()) if (!work.has(number)) workCells.push(number, 0, 0);
        if (workCells.length) change.work = workCells;
        const totals = this.fleet.totals();
        if (JSON.stringify(totals) !== this.totals) change.totals = totals;
        const answers = this.shown().map((answer) => this.changeOf(answer, this.told.get(answer.id))).filter(Boolean);
        if (answers.length) change.answers = answers;
        if (this.fleet.ended.length) change.answers_ended = this.fleet.ended.splice(0);
        if (this.notice !== this.noticeTold) change.notice = this.noticeTold = this.notice;
        this.remember();
        const text = event('change', this.life + '-' + this.sequence, change);
        this.history.push({ sequence: this.sequence, text });
        this.history.splice(0, this.history.length - history_max);
        for (const stream of this.streams) this.send(stream, text);
    }

    send(stream, text) {
        this.bytes += text.length;
        stream.write(text);
    }

    changeOf(answer, before) {
        const row = { id: answer.id };
        if (!before) Object.assign(row, { model: answer.model, vehicle: answer.vehicle, tokens: answer.tokens }, answer.own ? { text: answer.text.slice(-text_shown_max) } : {});
        else {
            if (answer.vehicle !== before.vehicle) Object.assign(row, { vehicle: answer.vehicle, why: answer.why });
            if (answer.tokens !== before.tokens) row.tokens = answer.tokens;
            if (answer.own && answer.text.length > before.text.length) row.text_added = answer.text.slice(before.text.length);
        }
        return Object.keys(row).length > 1 ? row : null;
    }

    snapshot() {
        this.snapshots++;
        return {
            ...this.head(),
            gateway: 'gw-mock',
            totals: JSON.parse(this.totals),
            reasons: this.fleet.reasons,
            vehicle_columns: columns,
            vehicle_ids: encodeIds(this.fleet.cars.map((car) => car.id)),
            vehicles: this.rows.flat(),
            work_columns: workColumns,
            work: [...this.work].flatMap(([number, row]) => [number, ...row]),
            vehicles_left_out: 0,
            answers: [...this.told.values()].map((answer) => this.changeOf(answer, undefined)),
            answers_left_out: 0,
            notice: this.noticeTold,
        };
    }

    follow(request, response) {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        this.streams.add(response);
        request.on('close', () => this.streams.delete(response));
        const [life, sequence] = (request.headers['last-event-id'] ?? '').split('-');
        const from = this.history.findIndex((change) => change.sequence === Number(sequence) + 1);
        if (life === this.life && (from >= 0 || Number(sequence) === this.sequence)) {
            this.resumed++;
            for (const change of from < 0 ? [] : this.history.slice(from)) this.send(response, change.text);
            response.flushHeaders();
        } else this.send(response, event('snapshot', this.life + '-' + this.sequence, this.snapshot()));
    }

    async serve(request, response) {
        const url = new URL(request.url, 'http://x');
        const json = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        if (url.pathname.startsWith('/mock/')) return json(200, this.act(url.pathname.slice(6), url.searchParams));
        if (/^\/(api\/)?v1\//.test(url.pathname) && this.key && request.headers.authorization !== 'Bearer ' + this.key)
            return json(401, { error: { message: 'The API key is wrong. Send it as \'Authorization: Bearer KEY\'.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } });
        if (url.pathname === '/api/v1/events') return this.follow(request, response);
        if (url.pathname === '/v1/chat/completions') return this.chat(request, response);
        if (url.pathname.startsWith('/api/v1/vehicles/')) {
            const details = this.details(decodeURIComponent(url.pathname.slice(17)));
            return details ? json(200, details) : json(404, { error: { message: 'No car of this name has announced itself.', code: 'vehicle_not_found' } });
        }
        const file = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
        if (!/^(index\.html|assets\/[\w.]+)$/.test(file)) return json(404, { error: { message: 'There is nothing at this path.' } });
        try {
            const bytes = await readFile(new URL('../dist/' + file, import.meta.url));
            response.writeHead(200, {
                'content-type': types[file.split('.').pop()],
                'content-length': bytes.length,
                'content-security-policy': "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
            });
            response.end(bytes);
        } catch {
            json(404, { error: { message: 'The page is not built.' } });
        }
    }

    details(id) {
        const number = this.fleet.find(id);
        if (number < 0) return null;
        const car = this.fleet.cars[number];
        const [speed, active] = this.work.get(number) ?? [0, 0];
        return {
            id, reason: this.fleet.reasons[car.reason].name, active_requests: active, slots_free: 2 - active, slots_total: 2, allowed_watts: car.reason === this.fleet.ok ? 300 : 0,
            state_of_charge_percent: car.charge, models: ['idlewatt-random'], tokens_per_second: speed, age_ms: 420,
        };
    }

    async chat(request, response) {
        let text = '';
        for await (const part of request) text += part;
        const asked = JSON.parse(text);
        if (this.fleet.pick() === null) {
            response.writeHead(503, { 'content-type': 'application/json' });
            return response.end(JSON.stringify({ error: { message: 'No car is free now. Try again in 10 s.', code: 'no_capacity' } }));
        }
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const chunk = (delta, more = {}) => response.write(`data: ${JSON.stringify({ id, object: 'chat.completion.chunk', model: 'idlewatt-random', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`);
        const id = this.fleet.ask({
            tokens: Math.min(asked.max_tokens ?? 90, 400),
            speed: 20,
            listener: ({ more, done, tokens }) => {
                if (!done) return chunk({ content: more });
                chunk({}, { choices: [], usage: { completion_tokens: tokens } });
                response.end('data: [DONE]\n\n');
            },
        });
        chunk({ role: 'assistant', content: '' });
        request.on('close', () => this.fleet.answers.delete(id) && this.fleet.ended.push({ id, how: 'cancelled' }));
    }

    act(action, params) {
        const fleet = this.fleet;
        const busy = [...fleet.answers.values()].find((answer) => answer.vehicle !== null)?.vehicle ?? 0;
        const number = params.has('car') ? fleet.find(params.get('car')) : busy;
        const seconds = Number(params.get('seconds') ?? 12);
        if (action === 'recall') fleet.leave(number, params.get('reason') ?? 'occupied', seconds);
        else if (action === 'kill') fleet.leave(number, 'unreachable', seconds);
        else if (action === 'back') fleet.back(number);
        else if (action === 'freeze') this.frozen = true; // alive, without news
        else if (action === 'cut') this.cutOff = true; // news, but none of the cars
        else if (action === 'thaw') this.frozen = this.cutOff = false;
        else if (action === 'break') this.dropStreams();
        else if (action === 'restart') this.dropStreams(), this.restart();
        else if (action === 'quiet') this.busy = Number(params.get('busy') ?? 0);
        else if (action === 'ask') return { id: fleet.ask({ tokens: Number(params.get('tokens') ?? 200), speed: 10, own: params.get('own') !== 'no' }), ...this.state() };
        else if (action === 'notice') this.notice = params.get('text') ? { text: params.get('text'), at: new Date().toISOString() } : null;
        else if (action === 'join') fleet.cars.push({ id: params.get('id'), reason: fleet.ok, charge: 70, returnsAt: Infinity });
        return { car: fleet.cars[number]?.id, ...this.state() };
    }

    state() {
        return {
            sequence: this.sequence, snapshots: this.snapshots, resumed: this.resumed, bytes: this.bytes,
            answers: [...this.fleet.answers.values()].map(({ id, vehicle, tokens }) => ({ id, car: this.fleet.cars[vehicle]?.id ?? null, tokens })),
        };
    }

    tell() {
        const fleet = this.fleet;
        const ready = fleet.cars.map((car, i) => (car.reason === fleet.ok ? i : -1)).filter((i) => i >= 0 && fleet.active(i));
        if (ready.length < 2) return;
        const reasons = ['occupied', 'not_plugged_in', 'departure_soon', 'unreachable', 'charge_below_reserve'];
        fleet.leave(ready[Math.floor(fleet.random() * ready.length)], reasons[Math.floor(fleet.random() * reasons.length)], 6 + fleet.random() * 8);
        for (const car of fleet.cars) if (car.charge !== null && fleet.random() < 0.3) car.charge = Math.min(95, car.charge + 1);
    }
}

function event(name, id, data) {
    return `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

if (process.argv[1] && import.meta.url.endsWith(process.argv[1].split('/').pop())) {
    const words = process.argv.slice(2);
    const option = (name, fallback) => (words.includes('--' + name) ? words[words.indexOf('--' + name) + 1] : fallback);
    const mock = await startMock({
        cars: Number(option('cars', 6)),
        busy: Number(option('busy', 4)),
        port: Number(option('port', 0)),
        key: option('key', ''),
        story: words.includes('--story'),
    });
    console.log(mock.url);
}
