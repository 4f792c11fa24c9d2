// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
export default {
    compilerOptions: {
        runes: true,
        // Short, and the same on every machine.
        cssHash: ({ name }) => name,
    },
};
