// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
//
// Loaded before a server that listens on all addresses of the machine and cannot be told otherwise: it listens on
// 127.0.0.1 alone.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, host, ...rest) {
  return typeof port === 'number' && typeof host !== 'string'
    ? listen.call(this, port, '127.0.0.1', ...[host, ...rest].filter((one) => one !== undefined))
    : listen.call(this, port, host, ...rest)
}
