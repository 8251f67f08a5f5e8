import { describe, expect, it } from 'vitest';
import { Signal } from '../../../src/shared/memory/signal.js';

function makeSignal() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  return { signal: new Signal(words, 0), words };
}

describe('a signal', () => {
  it('wakes who is parked, however it is raised', async () => {
    for (const raise of ['raise', 'raiseParked'] as const) {
      const { signal } = makeSignal();
      const waiting = signal.wait(signal.park());
      signal[raise]();
      await expect(waiting).resolves.toBe('ok');
    }
  });

  it('is not missed by who parks and finds that it was raised', () => {
    const { signal } = makeSignal();
    const ticket = signal.park();
    signal.raise();
    expect(signal.wait(ticket)).toBeNull();
  });

  it('costs nothing while the waiter is awake', () => {
    const { signal, words } = makeSignal();
    signal.raise();
    signal.raiseParked();
    expect([...words]).toEqual([0, 0]);
  });
});

describe('a nap', () => {
  it('is not begun when there is work, and ends by itself when there is none', () => {
    const { signal, words } = makeSignal();
    signal.nap(60_000, () => true);
    const startMs = performance.now();
    signal.nap(20, () => false);
    expect(performance.now() - startMs).toBeGreaterThan(15);
    expect([...words]).toEqual([0, 0]);
  });

  it('is not ended by what only wakes who is parked', () => {
    const { signal } = makeSignal();
    const startMs = performance.now();
    // Between the flag and the sleep: what is raised here is raised as late as it can be.
    signal.nap(20, () => {
      signal.raiseParked();
      return false;
    });
    expect(performance.now() - startMs).toBeGreaterThan(15);
  });

  it('is ended by raise', () => {
    const { signal } = makeSignal();
    const startMs = performance.now();
    signal.nap(20_000, () => {
      signal.raise();
      return false;
    });
    expect(performance.now() - startMs).toBeLessThan(10_000);
  });
});
