/** What the log says of peers that come by the thousand. */
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../src/main/net/connection.js';
import { PeerLog } from '../../src/main/peer-log.js';
import { ErrorCode } from '../../src/shared/errors.js';

interface Line {
  readonly msg: string;
  readonly code?: number;
  readonly name?: string;
  readonly leftOut?: number;
  readonly mostFrom?: Record<string, number>;
}

function setUp() {
  const lines: Line[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });
  const clock = { nowMs: () => time.nowMs, wallMs: () => time.nowMs };
  const time = { nowMs: 0 };
  return { lines, time, log: new PeerLog(logger, clock) };
}

const from = (host: string, port = 1) =>
  ({ peerId: null, address: `${host}:${port}`, host, direction: 'inbound' }) as Connection;
const chain = { code: ErrorCode.ChainIDMismatch, reason: 'another chain' };
const full = { code: ErrorCode.PeerLimitReached, reason: 'no place' };

describe('refusals in the log', () => {
  test('from a thousand addresses a second are a few lines, and each that was left out is counted once', () => {
    const { lines, time, log } = setUp();
    const seconds = 60;
    for (let second = 0; second < seconds; second++) {
      for (let i = 0; i < 1000; i++) {
        time.nowMs = second * 1000 + i;
        log.rejected(from(`127.9.${i >> 8}.${i & 255}`), i % 2 === 0 ? chain : full);
      }
      log.sweep();
    }
    log.sweep(true);
    const told = lines.filter(({ msg }) => msg === 'peer rejected');
    const counts = lines.filter(({ msg }) => msg === 'peer rejected: lines left out');
    // Ten lines and a count in ten seconds, for each of two codes.
    expect(lines.length).toBeLessThanOrEqual((seconds / 10 + 1) * 2 * 11);
    for (const { code } of [chain, full]) {
      const one = told.filter((line) => line.code === code).length;
      const others = counts.filter((line) => line.code === code).reduce((sum, { leftOut }) => sum + leftOut!, 0);
      expect(one + others).toBe((seconds * 1000) / 2);
    }
  });

  test('from one address are one line, then a count that names it', () => {
    const { lines, time, log } = setUp();
    for (let i = 0; i < 500; i++) log.rejected(from('127.0.0.2', i), chain);
    time.nowMs = 9999;
    log.sweep();
    expect(lines).toHaveLength(1);
    time.nowMs = 10_000;
    log.sweep();
    expect(lines[1]).toMatchObject({
      level: 40,
      msg: 'peer rejected: lines left out',
      code: chain.code,
      name: 'ChainIDMismatch',
      leftOut: 499,
      mostFrom: { '127.0.0.2': 499 },
    });
  });

  test('of peers that part with codes that nobody knows are no more than with one', () => {
    const { lines, time, log } = setUp();
    const rounds = 600;
    for (let i = 0; i < rounds * 256; i++) log.disconnected(from('127.0.0.3', i), { code: i % 256, reason: '' });
    const unknown = lines.filter(({ name }) => name === 'Unknown');
    expect(unknown).toHaveLength(500);
    expect(new Set(unknown.map(({ code }) => code)).size).toBeGreaterThan(100);
    time.nowMs = 10_000;
    log.sweep();
    const known = Object.values(ErrorCode).length;
    const leftOut = lines.filter(({ msg }) => msg === 'peer disconnected: lines left out');
    expect(leftOut).toHaveLength(known + 1);
    expect(leftOut.find(({ name }) => name === 'Unknown')).toEqual(
      expect.objectContaining({ leftOut: (256 - known) * rounds - 500 }),
    );
    expect(leftOut.find(({ name }) => name === 'Unknown')).not.toHaveProperty('code');
  });

  test('do not grow what is remembered, nor do peers that connect and part', () => {
    const { lines, log } = setUp();
    for (let i = 0; i < 20_000; i++) {
      log.connected(from('127.0.0.3', i));
      log.disconnected(from('127.0.0.3', i), chain);
    }
    expect(lines).toHaveLength(1000);
    log.sweep(true);
    expect(lines.slice(1000)).toMatchObject([
      { msg: 'peer connected: lines left out', leftOut: 19_500 },
      { msg: 'peer disconnected: lines left out', leftOut: 19_500 },
    ]);
  });
});

describe('what a peer calls itself', () => {
  test('can neither break a line of the log nor turn it around, and neither can a ban on it', () => {
    const written: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) });
    const log = new PeerLog(logger, { nowMs: () => 0, wallMs: () => 0 });
    const id = 'a\u202eb\u2028c\u2066d\u{e0041}';
    const peer = { ...from('127.0.0.3'), peerId: id } as Connection;
    log.dialling(peer);
    log.connected(peer);
    log.disconnected(peer, full);
    log.rejected(peer, full);
    log.dialFailed(peer, full);
    log.violation(peer, 5);
    log.flow([{ connection: peer, received: 1, sent: 1 }]);
    log.banned({ target: `id:${id}`, reason: '', code: 70, name: 'Banned', since: '', until: null });
    log.unbanned(`id:${id}`);
    expect(written).toHaveLength(9);
    const shown = written.map((line) => JSON.parse(line) as { peerId?: string; target?: string });
    const harmless = 'a\uFFFDb\uFFFDc\uFFFDd\uFFFD';
    expect(shown.map(({ peerId, target }) => peerId ?? target)).toEqual([
      ...Array(7).fill(harmless),
      ...Array(2).fill(`id:${harmless}`),
    ]);
  });
});
