// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The page as the demo's gateway serves it, with real engines. IDLEWATT_PROGRAM names the program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { launch, until, violations } from './page.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = process.env.IDLEWATT_PROGRAM ?? root + 'build/release/bin/idlewatt';
const start_limit_ms = 90_000;

test('the demo shows its cars, and an answer that goes on elsewhere', async (context) => {
    // Random weights say much: an answer that can be watched while it moves.
    const demo = spawn(program, ['demo', '--random-model', '--keep', '--traffic', 'off', '--vehicles', '4', '--port', '0', '--scenario', root + 'examples/always_parked.toml'],
        { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    demo.stderr.on('data', (bytes) => (said = (said + bytes).slice(-20_000)));
    const ended = new Promise((done) => demo.once('exit', done));
    const browser = await launch();
    context.after(async () => {
        await browser.close();
        demo.kill('SIGTERM');
        await ended;
    });
    const link = await until(() => said.match(/Live page: (\S+)/)?.[1], 'the address of the page\n' + said, start_limit_ms);
    const page = await browser.newPage();
    // Engines run when nothing else wants the processor: on a full machine they say little.
    page.setDefaultTimeout(start_limit_ms);
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(link);
    await page.getByRole('heading', { name: /All 4 cars are ready/ }).waitFor({ timeout: start_limit_ms });
    await page.locator('[data-test=age]').getByText('live').waitFor();
    assert.equal(new URL(page.url()).hash, '', 'the key is off the address');
    await until(async () => (await page.locator('.tile').count()) === 4, 'four tiles, a frame after the sentence');
    assert.deepEqual(await violations(page), []);

    await page.getByLabel('Your question').fill('Tell me of the sea.');
    await page.keyboard.press('Enter');
    await page.locator('article.assistant').getByText(/\d+ tokens?/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' });

    const send = (path, body) => fetch(new URL(path, link), {
        method: 'POST',
        headers: { authorization: 'Bearer ' + new URL(link).hash.slice(5), 'content-type': 'application/json' },
        body: JSON.stringify(body),
    });
    // The tile of the car that answers next must not be taken for that of the car that has answered.
    await page.locator('.tile.working').waitFor({ state: 'detached' });
    // Long enough to be watched.
    const answer = send('/v1/chat/completions', { messages: [{ role: 'user', content: 'sea' }], stream: true, max_tokens: 1800, ignore_eos: true })
        .then((reply) => reply.text());
    const working = page.locator('.tile.working').filter({ has: page.locator('.text') });
    const car = await working.locator('.name').innerText();
    const order = await send(`/api/v1/vehicles/${car}/signals`, { occupied: true });
    assert.equal(order.status, 200);
    await page.locator('.tile.stopped').getByText('Somebody is in the car or about to get in.').waitFor();
    await page.getByText(`from ${car}`, { exact: true }).waitFor();
    await page.getByRole('button', { name: new RegExp(`^${car},`) }).click();
    await page.getByRole('dialog').getByText(/ago$/).waitFor();
    assert.match(await answer, /data: \[DONE\]/);
    assert.deepEqual(complaints, []);
});
