// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The fleet as the gateway tells it: follows /api/v1/events, keeps what it said, knows how old that
// is. Cars and answers are plain objects; `version` grows with every batch, and what is drawn reads
// it, so that 5,000 cars cost what the visible ones cost.
import { tick } from 'svelte';
import type { AnswerRow, Change, NoticeRow, ReasonInfo, Snapshot, Totals } from './contract';
import { decodeIds } from './contract';
import { readEvents } from './events';
import { authorisation } from './key';

export interface Car {
    number: number;
    id: string;
    reason: number;
    charge: number | null; // percent
    speed: number | null; // tokens per second
    active: number;
    gainedAt: number; // when an answer last came from another car, by the page's clock
    lostAt: number; // when one last went to another
}

export interface Answer {
    id: string;
    label: number; // for people: the first seen is 1
    hue: number;
    model: string;
    car: number | null;
    left: number | null; // the car that it was on before
    why: string;
    tokens: number;
    text: string | null; // null: somebody else's
    moves: number;
    movedAt: number;
    how: '' | 'completed' | 'failed' | 'cancelled';
    endedAt: number;
}

export interface Note {
    at: number; // wall clock, ms
    kind: 'moved' | 'lost' | 'back' | 'failed' | 'stream';
    text: string;
}

export interface Move {
    answer: Answer;
    from: number;
    to: number;
}

export type Link = 'connecting' | 'live' | 'lost' | 'refused';

const silence_ms = 2500; // a gateway says something every second
const text_max = 600;
const notes_max = 60;
const speeds_max = 120;
const kept_after_end_ms = 2500;
const hold_ms = 120;
const hold_max_ms = 1000;
const wait_first_ms = 400;
const wait_max_ms = 5000;

const collator = new Intl.Collator('en', { numeric: true });

export class Live {
    version = $state(0);
    link = $state<Link>('connecting');
    refusal = $state('');
    now = $state(performance.now());
    heardAt = $state<number | null>(null); // by the page's clock: how old the data is
    totals = $state.raw<Totals | null>(null);
    gateway = $state('');
    leftOut = $state(0);
    answersLeftOut = $state(0);
    notice = $state.raw<NoticeRow | null>(null);
    notes = $state.raw<Note[]>([]);
    speeds = $state.raw<number[]>([]); // the fleet's tokens/s, one a second

    cars: Car[] = [];
    order: Car[] = []; // by name, without those that the gateway has forgotten
    reasons: ReasonInfo[] = [];
    answers = new Map<string, Answer>();
    byCar = new Map<number, Answer[]>();

    onmove: (move: Move, drawn: Promise<void>) => void = () => {};

    #columns: string[] = [];
    #workColumns: string[] = [];
    #sequence = 0;
    #lastId: string | null = null;
    #labels = 0;
    #abort: AbortController | null = null;
    #wake: () => void = () => {};
    #receivedAt = 0;
    #spokeAt = 0;
    #reorder = false;
    #began = false;
    #heldUntil = 0;
    #drawnAt = 0;
    #drawTimer: ReturnType<typeof setTimeout> | undefined;

    age = $derived(this.heardAt === null ? null : Math.max(0, this.now - this.heardAt));
    stale = $derived(this.link !== 'live' || this.age === null || this.age > silence_ms);

    // Follows until the page ends; again after the key has changed.
    start() {
        if (this.#began) return;
        this.#began = true;
        setInterval(() => this.#look(), 500);
        document.addEventListener('visibilitychange', () => {
            if (!document.hidden) this.#look();
        });
        void this.#follow();
    }

    retry() {
        this.refusal = '';
        this.link = 'connecting';
        this.#lastId = null;
        this.#abort?.abort();
        this.#wake();
    }

    // Somebody scrolls: what is new can wait for a moment, the frames cannot.
    holdDrawing() {
        this.#heldUntil = performance.now() + hold_ms;
    }

    #sort() {
        if (!this.#reorder) return;
        this.#reorder = false;
        this.order = this.cars.filter((car) => car.reason >= 0).sort((a, b) => collator.compare(a.id, b.id));
    }

    #draw() {
        clearTimeout(this.#drawTimer);
        const now = performance.now();
        if (now < this.#heldUntil && now - this.#drawnAt < hold_max_ms) {
            this.#drawTimer = setTimeout(() => this.#draw(), hold_ms);
        } else {
            this.#drawnAt = now;
            this.version++;
        }
    }

    #look() {
        this.now = performance.now();
        if (this.link === 'live' && this.now - this.#receivedAt > 4 * silence_ms) this.#abort?.abort();
        let gone = false;
        for (const answer of this.answers.values()) {
            if (answer.how && this.now - answer.endedAt > kept_after_end_ms) {
                this.#place(answer, null);
                this.answers.delete(answer.id);
                gone = true;
            }
        }
        if (gone) this.#draw();
        if (!this.stale && this.totals && this.now - this.#spokeAt >= 1000) {
            this.#spokeAt = this.now;
            this.speeds = [...this.speeds.slice(1 - speeds_max), this.totals.tokens_per_second ?? 0];
        }
    }

    async #follow() {
        let wait = wait_first_ms;
        for (;;) {
            this.#abort = new AbortController();
            try {
                const headers: Record<string, string> = { accept: 'text/event-stream', ...authorisation() };
                if (this.#lastId) headers['last-event-id'] = this.#lastId;
                const reply = await fetch('/api/v1/events', { headers, signal: this.#abort.signal, cache: 'no-store' });
                if (reply.status === 401 || reply.status === 403) {
                    this.refusal = await wordsOf(reply);
                    this.link = 'refused';
                } else if (!reply.ok || !reply.body) {
                    throw new Error(String(reply.status));
                } else {
                    for await (const event of readEvents(reply.body)) {
                        wait = wait_first_ms;
                        if (!this.#take(event.name, event.data)) {
                            this.#lastId = null; // something was missed: all of it anew
                            break;
                        }
                        if (event.id) this.#lastId = event.id;
                    }
                }
            } catch {
                // told by the link's state
            }
            this.#abort.abort();
            if (this.link === 'live') this.#note('stream', 'Connection to the gateway lost; trying again.');
            if (this.link !== 'refused') this.link = this.link === 'connecting' ? 'connecting' : 'lost';
            const pause = this.link === 'refused' ? 1e9 : wait * (0.75 + 0.5 * Math.random());
            await new Promise<void>((wake) => {
                const timer = setTimeout(wake, Math.min(pause, 2 ** 31 - 1));
                this.#wake = () => (clearTimeout(timer), wake());
            });
            wait = Math.min(wait * 1.7, wait_max_ms);
        }
    }

    // False: it does not follow what came before.
    #take(name: string, data: string): boolean {
        const said = JSON.parse(data);
        if (name === 'snapshot') this.#takeSnapshot(said);
        else if (name === 'change') {
            if (said.sequence !== this.#sequence + 1 || !this.totals) return false;
            this.#takeChange(said);
        } else return true; // of a later version
        this.#sequence = said.sequence;
        this.#receivedAt = this.now = performance.now();
        this.heardAt = said.heard_age_ms == null ? null : this.now - said.heard_age_ms;
        this.link = 'live';
        this.#sort();
        this.#draw();
        return true;
    }

    #takeSnapshot(said: Snapshot) {
        if (this.link === 'lost') this.#note('stream', 'Connected again.');
        const known = new Map(this.answers);
        this.totals = said.totals;
        this.reasons = said.reasons;
        this.gateway = said.gateway;
        this.leftOut = said.vehicles_left_out;
        this.answersLeftOut = said.answers_left_out;
        this.#takeNotice(said.notice ?? null);
        this.cars = [];
        this.answers.clear();
        this.byCar.clear();
        this.#columns = said.vehicle_columns;
        this.#workColumns = said.work_columns;
        this.#meet(said.vehicle_ids);
        const width = this.#columns.length;
        for (const car of this.cars) this.#set(car, this.#columns, said.vehicles, car.number * width);
        this.#takeWork(said.work);
        for (const row of said.answers) this.#takeAnswer(row, known.get(row.id));
    }

    #takeChange(said: Change) {
        if (said.notice !== undefined) this.#takeNotice(said.notice);
        if (said.totals) this.totals = { ...this.totals!, ...said.totals };
        if (said.vehicle_ids) this.#meet(said.vehicle_ids);
        const cells = said.vehicles ?? [];
        for (let at = 0; at < cells.length; at += this.#columns.length + 1) {
            const car = this.cars[cells[at]!];
            if (!car) continue;
            const before = this.reasonOf(car);
            this.#set(car, this.#columns, cells, at + 1);
            const after = this.reasonOf(car);
            if (after.name === 'unreachable' && before.name !== 'unreachable')
                this.#note('lost', `${car.id} is out of reach.`);
            else if (before.name === 'unreachable' && after.name !== 'unreachable')
                this.#note('back', `${car.id} is back.`);
        }
        this.#takeWork(said.work ?? []);
        const moves: Move[] = [];
        for (const row of said.answers ?? []) {
            const move = this.#takeAnswer(row, this.answers.get(row.id));
            if (move) moves.push(move);
        }
        for (const { id, how } of said.answers_ended ?? []) {
            const answer = this.answers.get(id);
            if (!answer) continue;
            answer.how = how;
            answer.endedAt = performance.now();
            if (how === 'failed') this.#note('failed', `Answer ${answer.label} ended in an error.`);
        }
        if (moves.length) {
            const drawn = tick();
            for (const move of moves) this.onmove(move, drawn);
        }
    }

    // The same one again, of a new snapshot, is no news.
    #takeNotice(said: NoticeRow | null) {
        if (said?.text !== this.notice?.text || said?.at !== this.notice?.at) this.notice = said;
    }

    #meet(coded: string) {
        for (const id of decodeIds(coded))
            this.cars.push({ number: this.cars.length, id, reason: -1, charge: null, speed: 0, active: 0, gainedAt: 0, lostAt: 0 });
        this.#reorder = true;
    }

    #takeWork(cells: (number | null)[]) {
        for (let at = 0; at < cells.length; at += this.#workColumns.length + 1) {
            const car = this.cars[cells[at]!];
            if (car) this.#set(car, this.#workColumns, cells, at + 1);
        }
    }

    #set(car: Car, columns: string[], cells: (number | null)[], at: number) {
        for (const column of columns) {
            const cell = cells[at++] ?? null;
            if (column === 'reason') {
                if (cell === null || car.reason < 0) this.#reorder = true;
                car.reason = cell ?? -1;
            }
            else if (column === 'state_of_charge_percent') car.charge = cell;
            else if (column === 'tokens_per_second') car.speed = cell;
            else if (column === 'active_requests') car.active = cell ?? 0;
        }
    }

    #takeAnswer(row: AnswerRow, known: Answer | undefined): Move | null {
        const answer = known ?? this.#newAnswer(row.id);
        let move: Move | null = null;
        this.answers.set(row.id, answer);
        if (row.model !== undefined) answer.model = row.model;
        if (row.tokens !== undefined) answer.tokens = row.tokens;
        if (row.text !== undefined) answer.text = row.text;
        if (row.text_added !== undefined) answer.text = ((answer.text ?? '') + row.text_added).slice(-text_max);
        if (row.why) answer.why = row.why;
        if (row.vehicle !== undefined) {
            const from = answer.car ?? answer.left;
            this.#place(answer, row.vehicle);
            if (row.vehicle !== null && from !== null && from !== row.vehicle) {
                answer.moves++;
                answer.left = from;
                answer.movedAt = performance.now();
                if (this.cars[from]) this.cars[from].lostAt = answer.movedAt;
                if (this.cars[row.vehicle]) this.cars[row.vehicle].gainedAt = answer.movedAt;
                move = { answer, from, to: row.vehicle };
                const reason = this.reasons.find((info) => info.name === answer.why);
                this.#note('moved', `Answer ${answer.label} went on from ${this.nameOf(from)} to ${this.nameOf(row.vehicle)}` +
                    (reason && reason.name !== 'ok' ? `: ${reason.sentence}` : '.'));
            } else if (row.vehicle === null && from !== null) {
                answer.left = from;
            }
        } else if (!known || !this.byCar.get(answer.car ?? -1)?.includes(answer)) {
            this.#place(answer, answer.car);
        }
        return move;
    }

    #newAnswer(id: string): Answer {
        const label = ++this.#labels;
        return {
            id, label, hue: (label * 137.5) % 360, model: '', car: null, left: null, why: '', tokens: 0, text: null,
            moves: 0, movedAt: 0, how: '', endedAt: 0,
        };
    }

    #place(answer: Answer, car: number | null) {
        if (answer.car !== null) {
            const rest = (this.byCar.get(answer.car) ?? []).filter((other) => other !== answer);
            if (rest.length) this.byCar.set(answer.car, rest);
            else this.byCar.delete(answer.car);
        }
        answer.car = car;
        if (car !== null) this.byCar.set(car, [...(this.byCar.get(car) ?? []), answer]);
    }

    #note(kind: Note['kind'], text: string) {
        this.notes = [{ at: Date.now(), kind, text }, ...this.notes].slice(0, notes_max);
    }

    nameOf(number: number): string {
        return this.cars[number]?.id ?? 'a car';
    }

    reasonOf(car: Car): ReasonInfo {
        return this.reasons[car.reason] ?? unknown_reason;
    }
}

const unknown_reason: ReasonInfo = {
    name: 'unknown',
    kind: 'service',
    sentence: 'Why the car works or not is not known.',
    cleared_by: 'a newer page',
};

// The API's error in its own words.
export async function wordsOf(reply: Response): Promise<string> {
    try {
        const body = await reply.json();
        return body.error.message;
    } catch {
        return `The gateway answered ${reply.status}.`;
    }
}

export type State = 'working' | 'ready' | 'stopped' | 'draining' | 'starting' | 'faulty';

export function stateOf(car: Car, reason: ReasonInfo): State {
    if (reason.name === 'ok') return car.active > 0 ? 'working' : 'ready';
    if (reason.name === 'unreachable' || reason.name === 'engine_failed' || reason.name === 'unknown') return 'faulty';
    if (reason.name === 'draining') return 'draining';
    return reason.kind === 'recall' ? 'stopped' : reason.kind === 'drain' ? 'draining' : 'starting';
}

export const states: { state: State; word: string }[] = [
    { state: 'working', word: 'Working' },
    { state: 'ready', word: 'Ready' },
    { state: 'starting', word: 'Starting' },
    { state: 'draining', word: 'Draining' },
    { state: 'stopped', word: 'Stopped' },
    { state: 'faulty', word: 'Out of reach' },
];
