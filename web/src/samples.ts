// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the chat box sends, as programs.

export type Language = 'curl' | 'JavaScript' | 'Python';
export const languages: Language[] = ['curl', 'JavaScript', 'Python'];

type Body = { messages: { role: string; content: string }[] };

export function sample(language: Language, origin: string, body: Body): string {
    const messages = body.messages.length ? body.messages : [{ role: 'user', content: 'What is 17 + 25?' }];
    if (language === 'curl') {
        const json = JSON.stringify({ messages, stream: true }, null, 2).replaceAll("'", `'\\''`);
        return `curl -N ${origin}/v1/chat/completions \\
  -H "Authorization: Bearer $IDLEWATT_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '${json}'`;
    }
    const literal = (indent: string) => JSON.stringify(messages, null, 4).replaceAll('\n', '\n' + indent);
    if (language === 'JavaScript') {
        return `import OpenAI from 'openai';

const client = new OpenAI({
    baseURL: '${origin}/v1',
    apiKey: process.env.IDLEWATT_API_KEY,
});
const { data } = await client.models.list();
const stream = await client.chat.completions.create({
    model: data[0].id,
    messages: ${literal('    ')},
    stream: true,
});
for await (const chunk of stream)
    process.stdout.write(chunk.choices[0]?.delta?.content ?? '');`;
    }
    return `import os
from openai import OpenAI

client = OpenAI(
    base_url="${origin}/v1",
    api_key=os.environ["IDLEWATT_API_KEY"],
)
stream = client.chat.completions.create(
    model=client.models.list().data[0].id,
    messages=${literal('    ')},
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)`;
}
