import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Ages,
  due,
  LINGER_MS,
  MAX_LINGER_MS,
  sweepIntervalMs,
  type Timeouts,
} from '../../../src/main/peers/timeouts.js';
import { ErrorCode } from '../../../src/shared/errors.js';

/** The defaults of specification 10.1 and rulings 4. */
const timeouts: Timeouts = {
  dialTimeoutMs: 5000,
  handshakeTimeoutMs: 10_000,
  readTimeoutMs: 30_000,
  writeTimeoutMs: 5000,
  pingIntervalMs: 30_000,
  inactivityTimeoutMs: 300_000,
  frameTimeoutMs: 60_000,
};

const fresh: Ages = {
  state: 'Connected',
  startedMs: 0,
  handshakingMs: 0,
  lastReadMs: 0,
  lastSentMs: 0,
  lastMessageMs: 0,
  writeStalledMs: 0,
  partialMs: null,
  paused: false,
  mayIdle: false,
  goodbyeMs: null,
  leavingMs: 0,
  hurried: false,
};

/** What is due, in a word or a code. */
function dueFor(ages: Partial<Ages>): string | number {
  const step = due({ ...fresh, ...ages }, timeouts);
  return step.kind === 'close' ? step.code : step.kind;
}

describe('what is due', () => {
  it.each<[string, Partial<Ages>, Partial<Ages>, string | number]>([
    ['a dial', { state: 'Connecting', startedMs: 4999 }, { startedMs: 5000 }, ErrorCode.NetworkError],
    [
      'a handshake',
      { state: 'Handshaking', startedMs: 14_000, handshakingMs: 9999 },
      { handshakingMs: 10_000 },
      ErrorCode.HandshakeTimeout,
    ],
    ['reading', { lastReadMs: 29_999 }, { lastReadMs: 30_000 }, ErrorCode.ReadTimeout],
    ['writing', { writeStalledMs: 4999 }, { writeStalledMs: 5000 }, ErrorCode.WriteTimeout],
    ['a frame', { partialMs: 59_999 }, { partialMs: 60_000 }, ErrorCode.ReadTimeout],
    ['activity', { lastMessageMs: 299_999 }, { lastMessageMs: 300_000 }, ErrorCode.IdlePeer],
    ['a ping, after half the interval', { lastSentMs: 14_999 }, { lastSentMs: 15_000 }, 'ping'],
    ['a goodbye', { goodbyeMs: 4999, lastReadMs: 5000 }, { goodbyeMs: 5000 }, ErrorCode.NetworkError],
    [
      'lingering in silence',
      { state: 'Disconnecting', lastReadMs: LINGER_MS, leavingMs: LINGER_MS - 1 },
      { leavingMs: LINGER_MS },
      'destroy',
    ],
    [
      'lingering while bytes still come',
      { state: 'Disconnecting', lastReadMs: LINGER_MS - 1, leavingMs: MAX_LINGER_MS - 1 },
      { leavingMs: MAX_LINGER_MS },
      'destroy',
    ],
  ])('for %s comes on the millisecond', (_, before, after, expected) => {
    expect(dueFor(before)).toBe('nothing');
    expect(dueFor({ ...before, ...after })).toBe(expected);
  });

  it('spares a peer that we don’t read ourselves: its silence is ours', () => {
    expect(dueFor({ paused: true, lastReadMs: 1e6, partialMs: 1e6, goodbyeMs: 1e6 })).toBe('nothing');
  });

  it('lets a peer that has said goodbye go on while what it sent before still comes', () => {
    expect(dueFor({ goodbyeMs: 1e6, lastReadMs: 4999 })).toBe('nothing');
  });

  it('hurries peers that still send when the node stops', () => {
    expect(dueFor({ state: 'Disconnecting', leavingMs: LINGER_MS - 1, hurried: true })).toBe('nothing');
    expect(dueFor({ state: 'Disconnecting', leavingMs: LINGER_MS, hurried: true })).toBe('destroy');
  });

  it('lets persistent and unconditional peers idle, but not be silent', () => {
    expect(dueFor({ mayIdle: true, lastMessageMs: 1e9 })).toBe('nothing');
    expect(dueFor({ mayIdle: true, lastMessageMs: 1e9, lastReadMs: 30_000 })).toBe(ErrorCode.ReadTimeout);
  });

  it('is nothing more once a connection is gone', () => {
    const old = { startedMs: 1e9, lastReadMs: 1e9, lastSentMs: 1e9, writeStalledMs: 1e9, leavingMs: 1e9 };
    expect(dueFor({ ...old, state: 'Disconnected' })).toBe('nothing');
  });

  it('closes a connected peer only for a reason, and pings it otherwise', () => {
    const age = fc.integer({ min: 0, max: 400_000 });
    const ages = fc.record({
      lastReadMs: age,
      lastSentMs: age,
      lastMessageMs: age,
      writeStalledMs: age,
      partialMs: fc.option(age, { nil: null }),
      paused: fc.boolean(),
      mayIdle: fc.boolean(),
    });
    fc.assert(
      fc.property(ages, (given) => {
        const step = due({ ...fresh, ...given }, timeouts);
        const reasons = [
          given.writeStalledMs >= 5000,
          !given.paused && given.lastReadMs >= 30_000,
          !given.paused && (given.partialMs ?? 0) >= 60_000,
          !given.mayIdle && given.lastMessageMs >= 300_000,
        ];
        expect(step.kind === 'close').toBe(reasons.includes(true));
        if (step.kind !== 'close') expect(step.kind === 'ping').toBe(given.lastSentMs >= 15_000);
      }),
    );
  });
});

describe('the sweep', () => {
  it('comes ten times within the shortest timeout, from every 10 ms to every 250 ms', () => {
    expect(sweepIntervalMs(timeouts)).toBe(250);
    expect(sweepIntervalMs({ ...timeouts, handshakeTimeoutMs: 1000 })).toBe(100);
    expect(sweepIntervalMs({ ...timeouts, pingIntervalMs: 1000 })).toBe(50);
    expect(sweepIntervalMs({ ...timeouts, frameTimeoutMs: 20 })).toBe(10);
  });
});
