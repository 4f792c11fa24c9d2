// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One script, one style sheet, names that never change: the gateway serves them with an ETag.
import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The page carries Svelte's runtime, so it carries its licence.
function licences() {
    return {
        name: 'licences',
        generateBundle() {
            const text = readFileSync('node_modules/svelte/LICENSE.md', 'utf8').trim();
            this.emitFile({
                type: 'asset',
                fileName: 'assets/licences.txt',
                source: `The page contains parts of Svelte (https://svelte.dev):\n\n${text}\n`,
            });
        },
    };
}

export default defineConfig({
    plugins: [svelte(), licences()],
    // No template literals: one of Svelte's would end a line in a blank.
    esbuild: { supported: { 'template-literal': false } },
    server: { proxy: { '/api': process.env.GATEWAY ?? '', '/v1': process.env.GATEWAY ?? '' } },
    build: {
        target: 'es2022',
        minify: 'terser',
        terserOptions: { module: true, compress: { passes: 2 }, format: { ascii_only: false } },
        modulePreload: { polyfill: false },
        assetsInlineLimit: 0,
        cssCodeSplit: false,
        rollupOptions: {
            output: {
                entryFileNames: 'assets/page.js',
                chunkFileNames: 'assets/[name].js',
                assetFileNames: 'assets/page[extname]',
            },
        },
    },
});
