import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DialQueue } from '../../../src/main/net/dial-queue.js';
import { DIAL_QUEUE_LENGTH, DIALS_IN_FLIGHT } from '../../../src/shared/limits.js';

interface TestDial {
  readonly persistent: object | null;
  readonly name: number;
}

const aPeer = {};
function dials(count: number, persistent = false): TestDial[] {
  return Array.from({ length: count }, (_, name) => ({ name, persistent: persistent ? aPeer : null }));
}

function startAll(queue: DialQueue<TestDial>): TestDial[] {
  const started: TestDial[] = [];
  for (let dial = queue.next(); dial !== undefined; dial = queue.next()) started.push(dial);
  return started;
}

describe('the dial queue', () => {
  it('lets so many dials begin at once, in order, and the next when one is done', () => {
    const queue = new DialQueue<TestDial>();
    const all = dials(DIALS_IN_FLIGHT + 3);
    for (const dial of all) expect(queue.add(dial)).toBe(true);
    expect(startAll(queue)).toEqual(all.slice(0, DIALS_IN_FLIGHT));
    expect(queue.length).toBe(3);
    queue.done(all[5]);
    expect(startAll(queue)).toEqual([all[DIALS_IN_FLIGHT]]);
    queue.done(all[5]);
    expect(startAll(queue)).toEqual([]);
  });

  it('drops what comes when it is full', () => {
    const queue = new DialQueue<TestDial>();
    const all = dials(DIAL_QUEUE_LENGTH + 1);
    expect(all.map((dial) => queue.add(dial)).filter((isTaken) => !isTaken)).toHaveLength(1);
    expect(queue.length).toBe(DIAL_QUEUE_LENGTH);
  });

  it('keeps half of the places, waiting and under way, from persistent peers, who may all be dead', () => {
    const queue = new DialQueue<TestDial>();
    const dead = dials(3 * DIAL_QUEUE_LENGTH, true);
    for (const dial of dead) queue.add(dial);
    expect(startAll(queue)).toHaveLength(DIALS_IN_FLIGHT / 2);
    for (const dial of dead) queue.add(dial);
    expect(queue.length).toBe(DIAL_QUEUE_LENGTH / 2);
    const others = dials(DIAL_QUEUE_LENGTH / 2);
    expect(others.every((dial) => queue.add(dial))).toBe(true);
    expect(startAll(queue)).toEqual(others.slice(0, DIALS_IN_FLIGHT / 2));
  });

  it('gives up what waits, not what is under way', () => {
    const queue = new DialQueue<TestDial>();
    const all = dials(DIALS_IN_FLIGHT + 2);
    for (const dial of all) queue.add(dial);
    startAll(queue);
    expect(queue.clear()).toEqual(all.slice(DIALS_IN_FLIGHT));
    expect([queue.length, queue.inFlight.size]).toEqual([0, DIALS_IN_FLIGHT]);
  });

  it('begins every dial that it took once, in the order of its kind, and never passes its bounds', () => {
    const step = fc.oneof(
      fc.constant('ordinary' as const),
      fc.constant('persistent' as const),
      fc.constant('start' as const),
      fc.nat({ max: DIALS_IN_FLIGHT }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const queue = new DialQueue<TestDial>();
        const taken: TestDial[] = [];
        const started: TestDial[] = [];
        for (const [name, what] of steps.entries()) {
          if (what === 'start') started.push(...startAll(queue));
          else if (typeof what === 'number') {
            const done = [...queue.inFlight][what];
            if (done !== undefined) queue.done(done);
          } else {
            const dial = { name, persistent: what === 'persistent' ? aPeer : null };
            if (queue.add(dial)) taken.push(dial);
          }
          expect(queue.length).toBeLessThanOrEqual(DIAL_QUEUE_LENGTH);
          expect(queue.inFlight.size).toBeLessThanOrEqual(DIALS_IN_FLIGHT);
        }
        for (let left = 1; left > 0; ) {
          for (const dial of [...queue.inFlight]) queue.done(dial);
          const more = startAll(queue);
          started.push(...more);
          left = more.length;
        }
        for (const kind of [null, aPeer]) {
          const ofKind = (list: TestDial[]) => list.filter(({ persistent }) => persistent === kind);
          expect(ofKind(started)).toEqual(ofKind(taken));
        }
      }),
    );
  });
});
