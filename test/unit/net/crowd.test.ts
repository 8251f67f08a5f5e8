import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Crowd } from '../../../src/main/net/crowd.js';

const at = (ip: string) => ({ ip });

describe('a crowd', () => {
  it('takes whoever comes while there is room', () => {
    const crowd = new Crowd(2);
    expect([crowd.add(at('9.0.0.1')), crowd.add(at('9.0.0.1'))]).toEqual([null, null]);
    expect(crowd.size).toBe(2);
  });

  it('when it is full loses the oldest of the host that has most in it, not that of a quiet one', () => {
    const crowd = new Crowd<{ ip: string }>(3);
    const quiet = at('9.0.0.1');
    const loud = [at('9.0.0.2'), at('9.0.0.2'), at('9.0.0.2')] as const;
    crowd.add(quiet);
    crowd.add(loud[0]);
    crowd.add(loud[1]);
    expect(crowd.add(loud[2])).toBe(loud[0]);
    expect(crowd.add(at('9.0.0.3'))).toBe(loud[1]);
  });

  it('counts the addresses of one IPv6 /64 as one host', () => {
    const crowd = new Crowd<{ ip: string }>(2);
    const first = at('2a00:1:2:3::1');
    crowd.add(at('9.0.0.1'));
    crowd.add(first);
    expect(crowd.add(at('2a00:1:2:3::2'))).toBe(first);
  });

  it('never holds more than its size, and forgets whoever leaves', () => {
    const step = fc.record({ host: fc.integer({ min: 0, max: 3 }), leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const crowd = new Crowd<{ ip: string }>(5);
        const inside = new Set<{ ip: string }>();
        for (const { host, leaves } of steps) {
          const [oldest] = inside;
          if (leaves && oldest !== undefined) {
            crowd.delete(oldest);
            crowd.delete(oldest);
            inside.delete(oldest);
          } else {
            const comer = at(`9.0.0.${host}`);
            inside.add(comer);
            const gone = crowd.add(comer);
            if (gone !== null) expect(inside.delete(gone)).toBe(true);
          }
          expect(crowd.size).toBe(inside.size);
          expect(crowd.size).toBeLessThanOrEqual(5);
        }
      }),
    );
  });
});
