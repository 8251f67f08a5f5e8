import { describe, expect, it } from 'vitest';
import { RESERVED_SLOTS, SlotReserve } from '../../../src/main/net/slot-reserve.js';

/** Connections that leave one after the other, each from the host that the test says. */
function rig(freeSeats: number) {
  const table = { freeSeats };
  const givenUp: string[] = [];
  const reserve = new SlotReserve<{ ip: string; name: string }>({
    table,
    giveUp: ({ name }) => void givenUp.push(name),
  });
  const leave = (name: string, host: number) => {
    const connection = { name, ip: `9.0.0.${host}` };
    reserve.left(connection);
    return connection;
  };
  return { table, givenUp, reserve, leave };
}

describe('a reserve of slots', () => {
  it('takes nobody the slot while enough are free, however long they keep theirs', () => {
    const { givenUp, reserve, leave } = rig(RESERVED_SLOTS);
    for (let i = 0; i < 20; i++) leave(`${i}`, 1);
    reserve.refill();
    expect(givenUp).toEqual([]);
  });

  it('is refilled by the oldest of the host that has most, and the quiet ones keep theirs', () => {
    const { givenUp, reserve, leave } = rig(RESERVED_SLOTS - 2);
    leave('quiet', 1);
    for (const name of ['first', 'second', 'third', 'fourth']) leave(name, 2);
    reserve.refill();
    expect(givenUp).toEqual(['first', 'second']);
  });

  it('counts the slots that are about to be free, so that one shortage takes no more than it needs', () => {
    const { table, givenUp, reserve, leave } = rig(RESERVED_SLOTS - 1);
    const [first] = [leave('first', 1), leave('second', 1), leave('third', 1)];
    reserve.refill();
    reserve.refill();
    expect(givenUp).toEqual(['first']);
    table.freeSeats++;
    reserve.unseated(first);
    reserve.refill();
    expect(givenUp).toEqual(['first']);
    table.freeSeats--;
    reserve.refill();
    expect(givenUp).toEqual(['first', 'second']);
  });

  it('knows nothing of those that have let go by themselves', () => {
    const { givenUp, reserve, leave } = rig(0);
    const gone = leave('gone', 1);
    leave('there', 1);
    reserve.unseated(gone);
    reserve.refill();
    expect(givenUp).toEqual(['there']);
  });
});
