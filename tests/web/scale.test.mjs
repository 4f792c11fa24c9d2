// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// 5,000 cars: what the first view costs on the line, and whether scrolling keeps up.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startMock } from '../../web/mock/server.mjs';
import { launch, until, withPage } from './page.mjs';

const first_view_bytes_max = 200_000;
const frame_ms = 1000 / 60;

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('the first view of 5,000 cars is less than 200 kB, answers flowing', async () => {
    const mock = await startMock({ cars: 5000, busy: 900 });
    const sockets = new Set();
    mock.server.on('connection', (socket) => sockets.add(socket));
    const sent = () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0); // heads and all
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    try {
        await page.goto(mock.url);
        await page.locator('.tile .text').first().waitFor();
        const first = sent();
        await page.waitForTimeout(2000);
        console.log(`first view of 5,000 cars: ${first} bytes; then ${Math.round((sent() - first) / 2)} bytes a second`);
        assert.ok(first > 100_000, 'counted at all');
        assert.ok(first < first_view_bytes_max, `${first} bytes`);
        assert.ok((await page.locator('.tile').count()) < 200, 'only what is seen is in the document');
    } finally {
        await page.close();
        mock.close();
    }
});

test('5,000 cars scroll at 60 frames per second', async () => {
    await withPage(browser, { cars: 5000, busy: 900 }, async (page) => {
        await page.locator('.tile').first().waitFor();
        // What a frame costs the page's own thread, whoever else uses the machine.
        const client = await page.context().newCDPSession(page);
        await client.send('Performance.enable', { timeDomain: 'threadTicks' });
        const busy_s = async () => (await client.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
        const scroll = () => page.evaluate(async () => {
            const pane = document.querySelector('[data-test=scroller]');
            const times = [];
            let blank = 0;
            await new Promise((done) => {
                let began;
                const frame = (now) => {
                    began ??= now;
                    times.push(now);
                    pane.scrollTop += 45; // 2,700 px a second
                    const middle = pane.getBoundingClientRect();
                    const tiles = [0.6, 0.65, 0.7].map((part) => document.elementFromPoint(middle.left + 100, middle.top + middle.height * part));
                    if (!tiles.some((element) => element?.closest('.tile'))) blank++;
                    now - began < 4000 ? requestAnimationFrame(frame) : done();
                };
                requestAnimationFrame(frame);
            });
            const gaps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
            return { frames: gaps.length, per_second: (1000 * gaps.length) / (times.at(-1) - times[0]), median: gaps[gaps.length >> 1], p95: gaps[Math.floor(gaps.length * 0.95)], blank };
        });
        // The machine may be busy with something else: one good run out of three shows that the page keeps up.
        let best = { per_second: 0 };
        for (let round = 0; round < 3 && best.per_second < 57; round++) {
            const before = await busy_s();
            const found = await scroll();
            found.cost_ms = (1000 * ((await busy_s()) - before)) / found.frames;
            console.log(`scrolling 5,000 cars: ${found.per_second.toFixed(1)} frames/s, median ${found.median.toFixed(1)} ms, p95 ${found.p95.toFixed(1)} ms, ` +
                `${found.cost_ms.toFixed(1)} ms of the page's thread a frame, ${found.blank} blank`);
            if (found.per_second > best.per_second) best = found;
        }
        assert.ok(best.cost_ms < frame_ms * 0.7, `${best.cost_ms} ms a frame`);
        assert.ok(best.per_second >= 57, `${best.per_second} frames per second`);
        assert.ok(best.median < frame_ms * 1.2);
        assert.equal(best.blank, 0, 'no frame without tiles');
        const names = await page.locator('.tile .name').allInnerTexts();
        assert.notEqual(names[0], 'car-0001');
        await until(async () => (await page.locator('.tile').count()) < 200, 'only what is seen in the document');
    });
});
