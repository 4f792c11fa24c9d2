// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Numbers as people read them. What is not known is a dash, never a zero.

const thin = '\u202f';

export const unknown = '–';

export function count(value: number | null | undefined): string {
    if (value === null || value === undefined || !Number.isFinite(value)) return unknown;
    if (value >= 1e9) return (value / 1e9).toFixed(2) + thin + 'G';
    if (value >= 1e7) return (value / 1e6).toFixed(1) + thin + 'M';
    return Math.round(value).toLocaleString('en').replaceAll(',', thin);
}

export function rate(value: number | null | undefined): string {
    if (value === null || value === undefined || !Number.isFinite(value)) return unknown;
    return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

export function pause(ms: number): string {
    return ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function age(ms: number): string {
    if (ms < 950) return '< 1 s';
    if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
    if (ms < 7_170_000) return `${Math.round(ms / 60_000)} min`;
    return `${Math.round(ms / 3_600_000)} h`;
}

export function clock(ms: number): string {
    return new Date(ms).toLocaleTimeString('en-GB');
}
