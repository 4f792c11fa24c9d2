// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, until, violations, withPage } from './page.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const tile = (page, id) => page.locator('.tile').filter({ has: page.getByRole('button', { name: new RegExp(`^${id},`) }) });

test('every car is a tile with state, reason and charge; the answer flows in it', async () => {
    await withPage(browser, { cars: 6, busy: 0 }, async (page, mock, act) => {
        await tile(page, 'car-06').waitFor();
        assert.equal(await page.locator('.tile').count(), 6);
        await act('recall?car=car-02&seconds=600');
        await tile(page, 'car-02').getByText('Somebody is in the car or about to get in.').waitFor();
        assert.match(await tile(page, 'car-02').innerText(), /Stopped/);
        mock.fleet.cars[2].charge = null;
        await tile(page, 'car-03').getByText('unknown').waitFor();
        assert.doesNotMatch(await tile(page, 'car-03').innerText(), /%/, 'unknown is not a number');
        const { answers } = await act('ask');
        const car = answers[0].car;
        const words = tile(page, car).locator('.text');
        const text = await until(() => words.innerText(), 'the first words');
        await until(async () => (await words.innerText()).length > text.length, 'more words');
        await page.getByRole('heading', { name: '5 of 6 cars are ready, one answer flows.' }).waitFor();
    });
});

test('an answer that goes on elsewhere jumps from tile to tile', async () => {
    await withPage(browser, { cars: 6, busy: 0 }, async (page, mock, act) => {
        const from = (await act('ask?tokens=400')).answers[0].car;
        await tile(page, from).locator('.text').waitFor();
        await page.evaluate(() => {
            window.jumps = 0;
            new MutationObserver((records) => (window.jumps += records.flatMap((record) => [...record.addedNodes]).length)).observe(
                document.querySelector('[data-test=jumps]'), { childList: true });
        });
        await act('recall?seconds=600');
        const to = await until(async () => (await act('state')).answers[0].car, 'another car');
        assert.notEqual(to, from);
        await tile(page, to).getByText('from ' + from).waitFor();
        assert.equal(await tile(page, from).locator('.text').count(), 0);
        assert.equal(await page.evaluate(() => window.jumps), 1);
        await page.locator('[data-test=newest]').getByText(`went on from ${from} to ${to}: Somebody is in the car`).waitFor();
        assert.equal(await page.locator('[data-test=moved]').innerText(), '1');
        await until(() => page.evaluate(() => !document.querySelector('[data-test=jumps]').children.length), 'the end of the flight');
    });
});

test('who wants no motion sees the move without a flight', async () => {
    await withPage(browser, { cars: 3, busy: 0, motion: 'reduce' }, async (page, mock, act) => {
        const from = (await act('ask?tokens=400')).answers[0].car;
        await tile(page, from).locator('.text').waitFor();
        await page.evaluate(() => {
            window.jumps = 0;
            new MutationObserver(() => window.jumps++).observe(document.querySelector('[data-test=jumps]'), { childList: true });
        });
        await act('kill?seconds=600');
        await page.getByText('from ' + from, { exact: true }).waitFor();
        assert.equal(await page.evaluate(() => window.jumps), 0);
        assert.match(await tile(page, from).innerText(), /Out of reach/);
    });
});

test('old data is shown as old, whether the line is silent or only the cars are', async () => {
    await withPage(browser, { cars: 3, busy: 1 }, async (page, mock, act) => {
        const age = page.locator('[data-test=age]');
        await age.getByText('live').waitFor();
        for (const action of ['freeze', 'cut']) {
            await act(action);
            await page.getByRole('alert').getByText('The gateway hears nothing of the cars.').waitFor();
            assert.match(await age.innerText(), /stale \d+ s/);
            assert.match(await page.locator('.story').innerText(), /^Last known/);
            await act('thaw');
            await age.getByText('live').waitFor();
            await until(async () => (await page.getByRole('alert').count()) === 0, 'the end of the alert');
        }
    });
});

test('after a break it goes on where it was; after a restart it begins anew', async () => {
    await withPage(browser, { cars: 4, busy: 2, expected: /ERR_|Failed to load/ }, async (page, mock, act) => {
        await tile(page, 'car-01').waitFor();
        await act('break');
        await until(async () => (await act('state')).resumed === 1, 'a stream that goes on');
        assert.equal((await act('state')).snapshots, 1);
        mock.cars = 9;
        await act('restart');
        await tile(page, 'car-09').waitFor();
        assert.equal(await page.locator('.tile').count(), 9);
        assert.equal((await act('state')).snapshots, 2);
        await act('join?id=tesla-x');
        await tile(page, 'tesla-x').waitFor();
        mock.fleet.cars[0].reason = null; // forgotten
        await tile(page, 'car-01').waitFor({ state: 'detached' });
        await page.getByRole('button', { name: 'All 9' }).waitFor();
    });
});

test('a gateway that is gone is said to be gone', async () => {
    await withPage(browser, { cars: 4, busy: 2, expected: /ERR_|Failed to load/ }, async (page, mock) => {
        await tile(page, 'car-01').waitFor();
        mock.close();
        await page.getByRole('alert').getByText('The gateway cannot be reached; trying again.').waitFor();
        await page.locator('[data-test=age]').getByText('reconnecting').waitFor();
    });
});

test('words of other keys are not shown', async () => {
    await withPage(browser, { cars: 2, busy: 0 }, async (page, mock, act) => {
        await act('ask?own=no');
        await page.getByText(/Somebody else's answer, \d+ tokens/).waitFor();
        assert.equal(await page.locator('.text').count(), 0);
    });
});

test('a notice is a line above the tiles, replaced by the next and gone with its time', async () => {
    for (const motion of ['no-preference', 'reduce'])
        await withPage(browser, { cars: 4, busy: 1, motion, width: 360, height: 740, expected: /ERR_|Failed to load/ }, async (page, mock, act) => {
            await tile(page, 'car-01').waitFor();
            const place = page.locator('[data-test=notice]');
            const shows = (words) => until(async () => (await place.innerText()).trim() === words, 'the notice ' + words);
            assert.equal(await place.getAttribute('role'), 'status');
            await shows('');
            const lines = ['07:00 The owners leave for work. Their cars stop at once; what they were saying goes on in others.', '<b>12:00</b> "Lunch"'];
            for (const words of lines) {
                await act('notice?text=' + encodeURIComponent(words));
                await shows(words);
            }
            assert.equal(await place.locator('p').count(), 1);
            const [above, below] = await Promise.all([place.boundingBox(), page.locator('.tile').first().boundingBox()]);
            assert.ok(above.y + above.height <= below.y, 'above the tiles');
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360));
            assert.deepEqual(await violations(page), []);
            await page.reload();
            await shows(lines[1]);
            await act('notice');
            await shows('');
            await act('notice?text=again');
            await shows('again');
            mock.close();
            await shows('');
        });
});

test('the key is asked for, kept in the tab, and taken off the address', async () => {
    const options = { cars: 2, busy: 0, key: 'secret', expected: /401/ };
    await withPage(browser, options, async (page) => {
        await page.getByText('The API key is wrong.', { exact: false }).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.locator('.refused').getByLabel('Key').fill('secret');
        await page.locator('.refused').getByRole('button', { name: 'Use it' }).click();
        await tile(page, 'car-02').waitFor();
        await page.reload();
        await tile(page, 'car-02').waitFor();
    });
    await withPage(browser, { ...options, hash: '#key=secret' }, async (page) => {
        await tile(page, 'car-02').waitFor();
        assert.equal(new URL(page.url()).hash, '');
    });
});

test('a question is answered, the cars of the answer are named, and the code is shown', async () => {
    await withPage(browser, { cars: 4, busy: 0, expected: /503/ }, async (page, mock, act) => {
        await tile(page, 'car-01').waitFor();
        await page.getByLabel('Your question').fill('Is "it\'s" ready?\nreally');
        await page.keyboard.press('Enter');
        const answer = page.locator('article.assistant');
        await until(async () => /token/.test(await answer.innerText().catch(() => '')), 'the first words');
        await act('recall?seconds=600');
        await until(async () => /car-\d+ → car-\d+/.test(await page.locator('[data-test=path]').innerText()), 'the other car');
        await page.getByRole('button', { name: 'Ask', exact: true }).and(page.locator('form *')).waitFor();
        assert.match(await answer.innerText(), /90 tokens · [\d.]+ tokens\/s · first after \d+ ms/);
        await page.getByRole('button', { name: 'View code' }).click();
        for (const [language, words] of [['curl', /curl -N http:.*chat\/completions/], ['JavaScript', /new OpenAI/], ['Python', /OpenAI\(/]]) {
            await page.getByRole('tab', { name: language }).click();
            assert.match(await page.locator('dialog[open] pre').innerText(), words);
        }
        assert.deepEqual(await violations(page), []);
        await page.keyboard.press('Escape');
        mock.fleet.cars.forEach((car) => (car.reason = mock.fleet.index('occupied')));
        await page.getByLabel('Your question').fill('And now?');
        await page.keyboard.press('Enter');
        await page.getByText('No car is free now. Try again in 10 s.').waitFor();
    });
});

test('everything can be done by keyboard', async () => {
    await withPage(browser, { cars: 300, busy: 40 }, async (page) => {
        await tile(page, 'car-001').waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('car-29');
        await until(async () => (await page.locator('.tile').count()) === 10, 'ten cars');
        await page.getByLabel('Find a car or reason').fill('');
        await page.locator('.tile button[tabindex="0"]').focus();
        const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
        await page.keyboard.press('End');
        await until(async () => (await focused())?.startsWith('car-300,'), 'the last car');
        await page.keyboard.press('Home');
        await until(async () => (await focused())?.startsWith('car-001,'), 'the first car');
        await page.keyboard.press('ArrowRight');
        await until(async () => (await focused())?.startsWith('car-002,'), 'the second car');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('ArrowUp');
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').getByText('idlewatt vehicle why car-002').waitFor();
        await page.getByRole('dialog').getByText('2 free of 2').or(page.getByRole('dialog').getByText('1 free of 2')).waitFor();
        assert.deepEqual(await violations(page), []);
        await page.keyboard.press('Escape');
        await until(async () => (await focused())?.startsWith('car-002,'), 'the focus back on its car');
    });
});

test('what can be clicked is not cut off', async () => {
    for (const width of [360, 1280])
        await withPage(browser, { cars: 4, busy: 0, width, height: 740 }, async (page) => {
            await tile(page, 'car-01').waitFor();
            if (width < 1000) await page.getByRole('button', { name: 'Ask', exact: true }).first().click();
            await page.getByRole('button', { name: 'How many kWh' }).waitFor();
            const cut = await page.evaluate(() =>
                [...document.querySelectorAll('.empty button')].filter((each) => each.getBoundingClientRect().right > innerWidth).map((each) => each.innerText));
            assert.deepEqual(cut, []);
        });
});

test('360 pixels are enough', async () => {
    await withPage(browser, { cars: 40, busy: 6, width: 360, height: 740 }, async (page) => {
        await tile(page, 'car-01').waitFor();
        const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= 360 && document.querySelector('[data-test=scroller]').scrollWidth <= 360);
        assert.ok(await fits());
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: 'Ask', exact: true }).first().click();
        await page.getByLabel('Your question').waitFor();
        assert.ok(await fits());
        assert.deepEqual(await violations(page), []);
    });
});

for (const scheme of ['light', 'dark'])
    test(`axe finds nothing, ${scheme}, live and stale`, async () => {
        await withPage(browser, { cars: 300, busy: 60, scheme, story: true }, async (page, mock, act) => {
            await tile(page, 'car-001').waitFor();
            await until(() => page.locator('.text').count(), 'words');
            assert.deepEqual(await violations(page), []);
            await page.getByRole('button', { name: /Tiles/ }).click();
            assert.deepEqual(await violations(page), []);
            await act('freeze');
            await page.getByRole('alert').waitFor();
            assert.deepEqual(await violations(page), []);
        });
    });

test('the switch of colours beats the system', async () => {
    await withPage(browser, { cars: 2, busy: 0, scheme: 'light' }, async (page) => {
        const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
        const light = await paper();
        await page.getByRole('button', { name: 'Colours: system' }).click();
        assert.equal(await paper(), light);
        await page.getByRole('button', { name: 'Colours: light' }).click();
        assert.notEqual(await paper(), light);
        await page.reload();
        assert.notEqual(await paper(), light);
    });
});
