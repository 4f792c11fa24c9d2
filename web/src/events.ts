// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Server-sent events over fetch, because an EventSource cannot send a key. Used for the live
// stream and for answers of the chat box.

export interface ServerEvent {
    name: string;
    id: string | null;
    data: string;
}

// Yields until the stream ends. The caller aborts by the fetch's signal.
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    let name = 'message';
    let id: string | null = null;
    let data: string[] = [];
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
            rest = lines.pop()!;
            for (const raw of lines) {
                const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
                if (line === '') {
                    if (data.length) yield { name, id, data: data.join('\n') };
                    name = 'message';
                    data = [];
                    continue;
                }
                const colon = line.indexOf(':');
                if (colon === 0) continue; // keep-alive
                const field = colon < 0 ? line : line.slice(0, colon);
                const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
                if (field === 'event') name = text;
                else if (field === 'data') data.push(text);
                else if (field === 'id') id = text;
            }
        }
    } finally {
        reader.cancel().catch(() => {});
    }
}
