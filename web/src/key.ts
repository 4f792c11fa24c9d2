// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The reader's key: kept for this tab only. The address may bring it behind the # (the demo does),
// which no browser sends anywhere; it is taken off the address at once.

const place = 'idlewatt.key';

function storage(): Storage | null {
    try {
        return window.sessionStorage;
    } catch {
        return null; // forbidden: then the key lives as long as the page
    }
}

let current = '';

export function firstKey(): string {
    const words = new URLSearchParams(location.hash.slice(1));
    const brought = words.get('key');
    if (brought !== null) {
        words.delete('key');
        const rest = words.toString();
        history.replaceState(null, '', location.pathname + location.search + (rest && '#' + rest));
        setKey(brought);
    } else {
        current = storage()?.getItem(place) ?? '';
    }
    return current;
}

export function setKey(key: string) {
    current = key.trim();
    if (current) storage()?.setItem(place, current);
    else storage()?.removeItem(place);
}

export function authorisation(): Record<string, string> {
    return current ? { authorization: 'Bearer ' + current } : {};
}
