// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
//
// Makes the one table of `make bench` from the lines that the benchmarks left: node bench/table.mjs FIGURES
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

const figures = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

function commit() {
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes')
  } catch {
    return 'unknown'
  }
}

function number(value) {
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: 0, maximumFractionDigits: digits })
}

function bar({ bar, better, value, unit }) {
  if (bar === undefined) return ''
  const kept = better === 'higher' ? value >= bar : value <= bar
  return `${better === 'higher' ? '≥' : '≤'} ${number(bar)}${unit === '' ? '' : ` ${unit}`}: ${kept ? 'yes' : '**no**'}`
}

const cell = (text) => text.replaceAll('|', '\\|')
const processor = os.cpus()[0]?.model.trim() ?? 'unknown'
console.log(
  `${os.availableParallelism?.() ?? os.cpus().length} cores (${processor}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, ` +
    `Linux ${os.release()}, ${new Date().toISOString().slice(0, 10)}, commit ${commit()}, load ${os.loadavg()[0].toFixed(1)}\n`,
)
console.log('| | what | figure | compared with, in the same run | bar |')
console.log('|---|---|---|---|---|')
// A group's figures together, whichever benchmarks they come from; groups in the order of their coming.
const groups = [...new Set(figures.map((figure) => figure.group))]
let group = ''
for (const figure of groups.flatMap((name) => figures.filter((each) => each.group === name))) {
  const heading = figure.group === group ? '' : figure.group
  group = figure.group
  const value = `${number(figure.value)}${figure.unit === '' ? '' : ` ${figure.unit}`}`
  console.log(`| ${[heading, figure.what, value, figure.compared, bar(figure)].map(cell).join(' | ')} |`)
}
