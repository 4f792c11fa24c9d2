// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A played fleet: cars, answers that flow, people who get in. Seeded, without clock: step() moves it.
import { readFileSync } from 'node:fs';

const words = (
    'The car by the lift has eighty-one percent and is ready until seven. Its owner wants sixty percent at half past seven, so it may work for ' +
    'another five hours. Two others stand on the same cable row: one is below its reserve and charges, the other was fetched a minute ago. ' +
    'Power is cheap until four in the morning, and the wind blows; nobody needs to do anything. '
).split(' ');

// The same table that the gateway has.
export function reasonTable() {
    const text = readFileSync(new URL('../../api/reasons.toml', import.meta.url), 'utf8');
    return [...text.matchAll(/\[\[reason\]\]([^[]*)/g)].map(([, part]) => {
        const member = (name) => part.match(new RegExp(`^${name} = "(.*)"$`, 'm'))[1];
        return { name: member('name'), kind: member('kind'), sentence: member('sentence'), cleared_by: member('cleared_by') };
    });
}

export function encodeIds(ids, before = '') {
    return ids
        .map((id) => {
            let shared = 0;
            while (shared < 35 && shared < id.length - 1 && id[shared] === before[shared]) shared++;
            before = id;
            return shared.toString(36) + id.slice(shared);
        })
        .join(' ');
}

export class Fleet {
    constructor(count, seed = 1) {
        this.random = prng(seed);
        this.reasons = reasonTable();
        this.ok = this.index('ok');
        const digits = Math.max(2, String(count).length);
        this.cars = Array.from({ length: count }, (_, i) => ({
            id: 'car-' + String(i + 1).padStart(digits, '0'),
            reason: this.ok,
            charge: 55 + Math.floor(this.random() * 40),
            returnsAt: Infinity,
            silent: false,
        }));
        // A big fleet is never all there.
        if (count > 20) {
            const away = ['occupied', 'not_plugged_in', 'charge_below_reserve', 'departure_soon', 'unreachable', 'signal_stale', 'starting'];
            for (const car of this.cars)
                if (this.random() < 0.25) {
                    car.reason = this.index(away[Math.floor(this.random() * away.length)]);
                    if (this.random() < 0.15) car.charge = null;
                }
        }
        this.answers = new Map();
        this.ended = [];
        this.made = 0;
        this.time = 0;
        this.counts = { started: 0, completed: 0, failed: 0, failed_no_capacity: 0, cancelled: 0, rejected: 0 };
        this.delivered = 0;
        this.migrations = 0;
        this.gap = null;
    }

    index(name) {
        return this.reasons.findIndex((reason) => reason.name === name);
    }

    find(id) {
        return this.cars.findIndex((car) => car.id === id);
    }

    active(number) {
        let active = 0;
        for (const answer of this.answers.values()) if (answer.vehicle === number) active++;
        return active;
    }

    pick(except = -1) {
        const load = new Map();
        for (const answer of this.answers.values()) load.set(answer.vehicle, (load.get(answer.vehicle) ?? 0) + 1);
        const ready = [];
        this.cars.forEach((car, i) => {
            if (i !== except && car.reason === this.ok && (load.get(i) ?? 0) < 2) ready.push(i);
        });
        if (!ready.length) return null;
        const [a, b] = [0, 0].map(() => ready[Math.floor(this.random() * ready.length)]);
        return (load.get(a) ?? 0) <= (load.get(b) ?? 0) ? a : b;
    }

    ask({ tokens = 60 + Math.floor(this.random() * 120), speed = 14 + Math.random() * 10, own = true, listener = null } = {}) {
        const id = 'chatcmpl-mock' + ++this.made;
        this.answers.set(id, {
            id, model: 'idlewatt-random', vehicle: this.pick(), why: '', tokens: 0, left: tokens, speed, due: 0, text: '', own, waits: 0, listener,
            at: Math.floor(this.random() * words.length),
        });
        this.counts.started++;
        return id;
    }

    // Somebody gets in, an agent is killed …
    leave(number, reason, seconds = 12) {
        const car = this.cars[number];
        car.reason = this.index(reason);
        car.returnsAt = this.time + seconds;
        for (const answer of this.answers.values())
            if (answer.vehicle === number) {
                answer.vehicle = null;
                answer.why = reason;
                answer.waits = 0.18;
                answer.avoid = number;
            }
    }

    back(number) {
        this.cars[number].reason = this.ok;
        this.cars[number].returnsAt = Infinity;
    }

    // `busy`: how many answers flow by themselves.
    step(seconds, busy) {
        this.time += seconds;
        this.cars.forEach((car, i) => {
            if (this.time >= car.returnsAt) this.back(i);
        });
        while (this.answers.size < busy) this.ask({ own: this.made % 9 !== 8 });
        for (const answer of this.answers.values()) {
            if (answer.vehicle === null) {
                answer.waits -= seconds;
                if (answer.waits > 0) continue;
                const next = this.pick(answer.avoid);
                if (next === null) continue;
                answer.vehicle = next;
                if (answer.tokens) this.migrations++, (this.gap = 40 + Math.floor(this.random() * 90));
                continue;
            }
            answer.due += answer.speed * seconds;
            for (; answer.due >= 1 && answer.left > 0; answer.due--) {
                const more = (answer.text ? ' ' : '') + words[answer.at++ % words.length];
                answer.text += more;
                answer.tokens++;
                answer.left--;
                this.delivered++;
                answer.listener?.({ more });
            }
            if (answer.left <= 0) {
                this.answers.delete(answer.id);
                this.ended.push({ id: answer.id, how: 'completed' });
                this.counts.completed++;
                answer.listener?.({ done: true, tokens: answer.tokens });
            }
        }
    }

    totals() {
        let running = 0;
        let waiting = 0;
        let speed = 0;
        for (const answer of this.answers.values()) answer.vehicle === null ? waiting++ : (running++, (speed += answer.speed));
        const unreachable = this.index('unreachable');
        return {
            requests: { ...this.counts, waiting, running },
            tokens: { delivered: this.delivered },
            migrations: this.migrations,
            vehicles: {
                known: this.cars.length,
                ready: this.cars.filter((car) => car.reason === this.ok).length,
                unreachable: this.cars.filter((car) => car.reason === unreachable).length,
            },
            tokens_per_second: Math.round(speed * 10) / 10,
            migration_gap_ms: this.gap,
        };
    }

    // One row per car: reason, charge.
    rows() {
        return this.cars.map((car) => [car.reason, car.charge]);
    }

    // Of those that do something: number, tokens/s, active requests.
    work() {
        const speeds = new Map();
        for (const { vehicle, speed } of this.answers.values()) {
            if (vehicle === null) continue;
            const [before, active] = speeds.get(vehicle) ?? [0, 0];
            speeds.set(vehicle, [before + speed, active + 1]);
        }
        return new Map([...speeds].map(([number, [speed, active]]) => [number, [Math.round(speed), active]]));
    }
}

function prng(seed) {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) | 0;
        let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}
