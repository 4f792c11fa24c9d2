// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What GET /api/v1/events says; web/README.md describes it.

export interface ReasonInfo {
    name: string;
    kind: 'recall' | 'drain' | 'service';
    sentence: string;
    cleared_by: string;
}

export interface Totals {
    requests: {
        started: number;
        completed: number;
        failed: number;
        failed_no_capacity: number;
        cancelled: number;
        rejected: number;
        waiting: number;
        running: number;
    };
    tokens: { delivered: number };
    migrations: number;
    vehicles: { known: number; ready: number; unreachable: number };
    tokens_per_second: number;
    migration_gap_ms: number | null; // of the last one
}

export interface AnswerRow {
    id: string; // of the API's object, and the choice behind a slash if there are several
    model?: string;
    vehicle?: number | null; // null: it waits for one
    why?: string; // with a vehicle that changed: the reason of the one that was left
    tokens?: number;
    text?: string; // replaces; absent for ever: not the reader's own
    text_added?: string;
}

export interface NoticeRow {
    text: string;
    at: string;
}

export interface Change {
    sequence: number;
    at: string;
    heard_age_ms: number | null; // since any car was heard; null: none ever was
    totals?: Partial<Totals>;
    vehicle_ids?: string; // new ones, front-coded, numbered behind the known
    vehicles?: (number | null)[]; // number, then the columns; again and again
    work?: (number | null)[]; // number, then the work's columns; again and again
    answers?: AnswerRow[];
    answers_ended?: { id: string; how: 'completed' | 'failed' | 'cancelled' }[];
    notice?: NoticeRow | null; // absent: as before; null: there is none any more
}

export interface Snapshot {
    sequence: number;
    at: string;
    heard_age_ms: number | null;
    gateway: string;
    totals: Totals;
    reasons: ReasonInfo[];
    vehicle_columns: string[];
    vehicle_ids: string;
    vehicles: (number | null)[]; // the columns, again and again
    work_columns: string[];
    work: (number | null)[]; // number, then the work's columns; the others do nothing
    vehicles_left_out: number;
    answers: AnswerRow[];
    answers_left_out: number;
    notice?: NoticeRow | null;
}

export interface VehicleDetails {
    id: string;
    reason: string;
    active_requests: number;
    slots_free: number;
    slots_total?: number;
    allowed_watts: number;
    state_of_charge_percent: number | null;
    models: string[];
    tokens_per_second: number;
    age_ms: number;
}

// Each id is what it shares with the one before (one digit of base 36) and the rest.
export function decodeIds(coded: string): string[] {
    const ids: string[] = [];
    let before = '';
    if (coded === '') return ids;
    for (const part of coded.split(' ')) {
        before = before.slice(0, parseInt(part[0], 36)) + part.slice(1);
        ids.push(before);
    }
    return ids;
}
