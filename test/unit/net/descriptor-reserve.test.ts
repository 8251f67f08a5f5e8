import { describe, expect, it } from 'vitest';
import { acceptCeiling, DescriptorReserve } from '../../../src/main/net/descriptor-reserve.js';

/** A process with so many descriptors, whose clock stands still unless it is moved. */
function rig(limit: number, open: number) {
  const system = { limit, open, looks: 0, ms: 0, tells: true };
  const reserve = new DescriptorReserve(
    async () => {
      system.looks++;
      return system.tells ? { limit: system.limit, open: system.open } : null;
    },
    () => system.ms,
  );
  /** Accepts what it takes, at most `most`. @returns how many it took */
  const accept = (most: number) => {
    let took = 0;
    while (took < most && reserve.takes()) {
      took++;
      system.open++;
    }
    return took;
  };
  return { system, reserve, accept };
}

describe('the reserve of file descriptors', () => {
  it('is what admin, dials and files need at most, and a quarter of a low limit', () => {
    expect([65_536, 1024, 200, 4].map(acceptCeiling)).toEqual([65_440, 928, 150, 3]);
  });

  it('is left over by connections that are accepted between two looks', async () => {
    const { reserve, accept } = rig(1024, 30);
    await reserve.look();
    expect(accept(5000)).toBe(928 - 30);
    expect(reserve.takes()).toBe(false);
  });

  it('takes connections again once others have closed', async () => {
    const { system, reserve, accept } = rig(1024, 30);
    await reserve.look();
    accept(5000);
    system.open -= 100;
    system.ms += 100;
    expect(reserve.takes()).toBe(false);
    await reserve.look();
    expect(accept(5000)).toBe(100);
  });

  it('counts what others have opened meanwhile', async () => {
    const { system, reserve, accept } = rig(1024, 30);
    await reserve.look();
    expect(accept(500)).toBe(500);
    system.open += 300;
    system.ms += 100;
    reserve.takes();
    system.open++;
    await reserve.look();
    expect(accept(5000)).toBe(928 - 831);
  });

  it('looks ten times a second at most, however many it refuses', async () => {
    const { system, reserve, accept } = rig(200, 30);
    await reserve.look();
    accept(5000);
    for (let i = 0; i < 1000; i++) {
      system.ms++;
      expect(reserve.takes()).toBe(false);
      await null;
      await null;
    }
    expect(system.looks).toBeLessThanOrEqual(12);
    expect(system.looks).toBeGreaterThan(5);
  });

  it('refuses where none is left even to look', async () => {
    const reserve = new DescriptorReserve(
      async () => ({ limit: null, open: null }),
      () => 0,
    );
    await reserve.look();
    // What the limit is has never been known: then there is none that could be kept.
    expect(reserve.takes()).toBe(true);
    const { system, reserve: known } = rig(1024, 30);
    await known.look();
    Object.assign(system, { limit: null, open: null, ms: 100 });
    await known.look();
    expect(known.takes()).toBe(false);
  });

  it('is kept by what was known when a look fails, and looks again', async () => {
    const { system, reserve, accept } = rig(1024, 30);
    await reserve.look();
    system.tells = false;
    system.ms = 100;
    expect(accept(500)).toBe(500);
    await reserve.look();
    expect(accept(5000)).toBe(928 - 530);
    Object.assign(system, { tells: true, ms: 200, open: 30 });
    expect(reserve.takes()).toBe(false);
    await reserve.look();
    expect(accept(5000)).toBe(928 - 30);
  });

  it.each([
    ['found nothing to look with', { limit: null, open: null }],
    ['failed', null],
  ])('is kept from the first look on that is good, if the very first %s', async (_, first) => {
    const clock = { ms: 0 };
    const answers = [first, { limit: 200, open: 150 }];
    const reserve = new DescriptorReserve(
      async () => answers.shift()!,
      () => clock.ms,
    );
    await reserve.look();
    clock.ms = 1000;
    expect(reserve.takes()).toBe(true);
    await reserve.look();
    expect(reserve.takes()).toBe(false);
  });

  it('is none where the system does not tell', async () => {
    const { system, reserve } = rig(16, 16);
    system.tells = false;
    await reserve.look();
    expect(reserve.takes()).toBe(true);
  });
});
