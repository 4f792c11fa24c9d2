// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The page in Debian's Chromium, against the mock of a gateway.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { startMock } from '../../web/mock/server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function launch() {
    return chromium.launch({
        executablePath: process.env.IDLEWATT_CHROMIUM ?? '/usr/bin/chromium',
        args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync'],
    });
}

// Runs with a page and its mock, and closes both. What the page complains of on its console is an error unless it was expected.
export async function withPage(browser, options, run) {
    const { width = 1280, height = 800, hash = '', scheme = 'light', motion = 'no-preference', expected = /(?!)/, ...fleet } = options;
    const mock = await startMock({ seed: 7, ...fleet });
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: motion });
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) complaints.push(message.text());
    });
    const outside = [];
    page.on('request', (request) => {
        if (!request.url().startsWith(mock.url) && !request.url().startsWith('data:')) outside.push(request.url());
    });
    try {
        await page.goto(mock.url + hash);
        await run(page, mock, (action) => act(mock, action));
        if (complaints.length) throw new Error('the page complained: ' + complaints.join('\n'));
        if (outside.length) throw new Error('the page went elsewhere: ' + outside.join('\n'));
    } finally {
        await context.close();
        mock.close();
    }
}

async function act(mock, action) {
    return (await fetch(mock.url + 'mock/' + action, { method: 'POST' })).json();
}

export async function violations(page) {
    await page.evaluate(axe);
    // What just fades in is pale only for a moment.
    await page.evaluate(() => Promise.all(document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations !== Infinity).map((each) => each.finished.catch(() => {}))));
    const found = await page.evaluate(() =>
        window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    return found.violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.slice(0, 3).map((node) => node.target + ' ' + node.failureSummary).join('; ')}`);
}

export async function until(condition, what, timeout_ms = 15000) {
    const end = Date.now() + timeout_ms;
    for (;;) {
        const found = await condition();
        if (found) return found;
        if (Date.now() > end) throw new Error('did not come: ' + what);
        await new Promise((done) => setTimeout(done, 50));
    }
}
