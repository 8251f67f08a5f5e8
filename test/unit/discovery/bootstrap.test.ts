import { describe, expect, it } from 'vitest';
import { Bootstrap } from '../../../src/main/discovery/bootstrap.js';
import type { CrawlResult } from '../../../src/main/discovery/seed-crawler.js';
import { formatHostPort, requirePeerAddress } from '../../../src/main/net/address.js';
import { systemTimers } from '../../../src/main/timers.js';

const empty: CrawlResult = { entries: [], skipped: 0, own: [], address: '127.0.0.1', fault: null, error: null };
const seeds = ['seed1.test:1', 'seed2.test:1', '127.0.0.9:1'].map(requirePeerAddress);

/** A node whose seeds answer as the test says; time stands still until it is moved. */
function start(answers: Record<string, boolean | 'never'>) {
  const asked: string[] = [];
  const visited: string[] = [];
  const time = { nowMs: 1000 };
  const settings = { seeds, backoffJitter: 0 };
  const bootstrap = new Bootstrap({
    settings,
    clock: { nowMs: () => time.nowMs, wallMs: () => time.nowMs },
    timers: systemTimers,
    random: () => 0,
    crawl: (seed, signal) => {
      asked.push(seed.host);
      if (answers[formatHostPort(seed)] !== 'never') return Promise.resolve(empty);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(empty)));
    },
    heard: (seed) => answers[formatHostPort(seed)] === true,
    visited: (seed) => visited.push(seed.host),
  });
  return { bootstrap, asked, visited, time, settings };
}

/** Lets everything happen that needs no timer. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a visit', () => {
  it('asks one seed, another one each time, and is no round: whether it helps is all the same', async () => {
    const { bootstrap, asked, visited, time } = start({});
    for (let i = 0; i < 4; i++) {
      bootstrap.visit();
      await settled();
      time.nowMs += 60_000;
    }
    expect(asked).toEqual(['seed1.test', 'seed2.test', '127.0.0.9', 'seed1.test']);
    expect(visited).toEqual(asked);
    expect(bootstrap.isFailing).toBe(false);
  });

  it('leaves out a seed that was asked a moment ago, and waits for no round', async () => {
    const { bootstrap, asked, visited } = start({ 'seed1.test:1': true, 'seed2.test:1': 'never' });
    bootstrap.look();
    await settled();
    bootstrap.visit();
    await settled();
    expect(asked).toEqual(['seed1.test']);
    bootstrap.visit();
    bootstrap.visit();
    await settled();
    expect(asked).toEqual(['seed1.test', 'seed2.test']);
    expect(visited).toEqual([]);
    await bootstrap.stop();
    expect(visited).toEqual([]);
  });
});

describe('asking seeds', () => {
  it('goes through them in order until one knows somebody', async () => {
    const { bootstrap, asked } = start({ 'seed2.test:1': true });
    bootstrap.look();
    await settled();
    expect(asked).toEqual(['seed1.test', 'seed2.test']);
    expect(bootstrap.isFailing).toBe(false);
  });

  it('begins a round behind the seed that ended the last, so that a useless one keeps nobody from being asked', async () => {
    const { bootstrap, asked, time } = start({ 'seed1.test:1': true, 'seed2.test:1': true });
    for (let round = 0; round < 3; round++) {
      bootstrap.look();
      await settled();
      time.nowMs += 60_000;
    }
    expect(asked).toEqual(['seed1.test', 'seed2.test', '127.0.0.9', 'seed1.test']);
  });

  it('asks the next seed soon when what one told was not enough, and none twice within ten seconds', async () => {
    const { bootstrap, asked, time } = start({ 'seed1.test:1': true, 'seed2.test:1': true, '127.0.0.9:1': true });
    const [fromMs, askedAtMs] = [time.nowMs, [] as number[]];
    while (asked.length < 7) {
      const before = asked.length;
      bootstrap.look();
      await settled();
      if (asked.length > before) askedAtMs.push(time.nowMs - fromMs);
      time.nowMs += 250;
      expect(time.nowMs).toBeLessThan(60_000);
    }
    expect(asked).toEqual([...asked.slice(0, 3), ...asked.slice(0, 3), asked[0]]);
    expect(askedAtMs).toEqual([0, 1000, 2000, 10_500, 11_500, 12_500, 21_000]);
  });

  it('is no failure when the only seeds that are left to ask know nobody', async () => {
    const { bootstrap, asked, time } = start({ 'seed1.test:1': true });
    bootstrap.look();
    await settled();
    time.nowMs += 1000;
    bootstrap.look();
    await settled();
    expect(asked).toEqual(['seed1.test', 'seed2.test', '127.0.0.9']);
    expect(bootstrap.isFailing).toBe(false);
    // The next round asks all of them again, and not before all of them may be asked.
    time.nowMs += 10_000;
    bootstrap.look();
    await settled();
    expect(asked).toHaveLength(3);
    time.nowMs += 500;
    bootstrap.look();
    await settled();
    expect(asked.slice(3)).toEqual(['seed1.test']);
  });

  it('asks again ever more seldom while nobody knows anybody, but at least once a minute', async () => {
    const { bootstrap, asked, time } = start({});
    const rounds: number[] = [];
    for (let i = 0; i < 400; i++) {
      const before = asked.length;
      bootstrap.look();
      await settled();
      if (asked.length > before) rounds.push(time.nowMs);
      time.nowMs += 1000;
    }
    const pauses = rounds.slice(1).map((ms, i) => ms - rounds[i]!);
    expect(bootstrap.isFailing).toBe(true);
    expect(pauses.slice(0, 5)).toEqual([11_000, 11_000, 11_000, 16_000, 32_000]);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(60_000);
  });

  it('has one round at a time, and does not wait for ever for a seed that says nothing', async () => {
    const { bootstrap, asked } = start({ 'seed1.test:1': 'never', 'seed2.test:1': true });
    bootstrap.look();
    bootstrap.look();
    await settled();
    expect(asked).toEqual(['seed1.test']);
    const startedMs = performance.now();
    while (asked.length < 2 && performance.now() - startedMs < 5000) await settled();
    expect(asked).toEqual(['seed1.test', 'seed2.test']);
    await bootstrap.stop();
  });

  it('gives up at once when the node stops, and asks nobody after that', async () => {
    const { bootstrap, asked } = start({ 'seed1.test:1': 'never' });
    bootstrap.look();
    await settled();
    await bootstrap.stop();
    bootstrap.look();
    await settled();
    expect(asked).toEqual(['seed1.test']);
  });
});
