// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The conversation of the chat box, over the same API that every client uses.
import { readEvents } from './events';
import { authorisation } from './key';
import { wordsOf } from './live.svelte';

export interface Message {
    role: 'user' | 'assistant';
    content: string;
    id?: string; // of the answer, as the live stream names it
    error?: string;
    tokens?: number;
    first_ms?: number; // to the first token
    per_second?: number;
}

const messages_max = 200;

export class Chat {
    messages = $state<Message[]>([]);
    busy = $state(false);
    #abort: AbortController | null = null;

    body(question?: string) {
        const messages = this.messages
            .filter((message, i) => !message.error && message.content && !(this.busy && i === this.messages.length - 1))
            .map(({ role, content }) => ({ role, content }));
        if (question) messages.push({ role: 'user', content: question });
        // What ends with an answer asks nothing.
        while (messages.at(-1)?.role === 'assistant') messages.pop();
        return { messages, stream: true, stream_options: { include_usage: true } };
    }

    stop() {
        this.#abort?.abort();
    }

    clear() {
        this.stop();
        this.messages = [];
    }

    async ask(question: string) {
        this.messages.push({ role: 'user', content: question });
        const body = JSON.stringify(this.body());
        this.messages.push({ role: 'assistant', content: '' });
        this.messages.splice(0, Math.max(0, this.messages.length - messages_max));
        const answer = this.messages[this.messages.length - 1];
        this.busy = true;
        this.#abort = new AbortController();
        const began = performance.now();
        try {
            const reply = await fetch('/v1/chat/completions', {
                method: 'POST',
                headers: { 'content-type': 'application/json', ...authorisation() },
                body,
                signal: this.#abort.signal,
            });
            if (!reply.ok || !reply.body) {
                answer.error = await wordsOf(reply);
                return;
            }
            await this.#read(reply.body, answer, began);
        } catch (error) {
            if ((error as Error).name === 'AbortError') answer.error = answer.content ? 'Stopped.' : 'Stopped before the first word.';
            else answer.error = 'The connection to the gateway broke. Ask again.';
        } finally {
            this.busy = false;
        }
    }

    async #read(body: ReadableStream<Uint8Array>, answer: Message, began: number) {
        let firstAt = 0;
        let pieces = 0;
        let whole = false;
        for await (const event of readEvents(body)) {
            if (event.data === '[DONE]') {
                whole = true;
                break;
            }
            const chunk = JSON.parse(event.data);
            if (chunk.error) {
                answer.error = chunk.error.message;
                return;
            }
            answer.id ??= chunk.id;
            const more = chunk.choices?.[0]?.delta?.content;
            if (more) {
                pieces++;
                if (!firstAt) {
                    firstAt = performance.now();
                    answer.first_ms = firstAt - began;
                }
                answer.content += more;
            }
            answer.tokens = chunk.usage?.completion_tokens ?? Math.max(answer.tokens ?? 0, pieces);
            const seconds = (performance.now() - firstAt) / 1000;
            if (firstAt && answer.tokens! > 1 && seconds > 0.1) answer.per_second = (answer.tokens! - 1) / seconds;
        }
        if (!whole) answer.error = 'The answer ended early. Ask again.';
    }
}
