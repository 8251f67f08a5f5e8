import { describe, expect, it } from 'vitest';
import { Slot } from '../../src/shared/memory/arena-layout.js';
import { makePlan } from './plan.js';
import { runSeed, seedRun, smallestFailure } from './seed-run.js';
import { Seeded } from './seeded.js';
import { defaults, Simulation, type SimulationOptions } from './simulation.js';

const NODES = 50;
const SEEDS = 100;
const SEEDS_PER_TEST = 10;
/** A run takes a second on an idle core; ten may meet other tests. */
const TEST_MS = 120_000;

const at = (seed: number, nodes: number) => seedRun({ ...defaults, seed, nodes });

function quiet(options: Partial<SimulationOptions> = {}): Simulation {
  const { seed = 1, nodes = 14 } = options;
  const plan = makePlan({ nodes, faultsMs: 1000, faults: 0 }, new Seeded(seed, 'plan'));
  return new Simulation({ ...defaults, faultsMs: 5000, seed, nodes, ...options }, plan);
}

describe('a simulated network', () => {
  it('goes the same way each time, step by step, from one seed, and another way from another', async () => {
    const [first, again, other] = [await runSeed(at(7, 20)), await runSeed(at(7, 20)), await runSeed(at(8, 20))];
    expect(again).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
    expect(first.steps).toBeGreaterThan(5000);
  });

  it('comes about from two seeds alone, and a broadcast reaches everybody', async () => {
    const outcome = await quiet({ nodes: 30 }).run();
    expect(outcome.violation).toBe(null);
    expect(outcome.messages).toBe(29);
    expect(outcome.spreadMs).toBeGreaterThan(0);
    expect(outcome.spreadMs).toBeLessThan(2000);
  });

  /** What the seeds have met, all together. */
  const met = { deathsAtWork: 0, shed: 0, cutOff: 0 };

  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    it(
      `of ${NODES} nodes holds its invariants through faults and recovers, seeds ${first} to ${last}`,
      async () => {
        for (let seed = first; seed <= last; seed++) {
          const outcome = await runSeed(at(seed, NODES));
          const { violation } = outcome;
          expect({ seed, violation }, `npm run simulate -- --seed ${seed}`).toEqual({ seed, violation: null });
          for (const key of ['deathsAtWork', 'shed', 'cutOff'] as const) met[key] += outcome[key];
        }
      },
      TEST_MS,
    );
  }

  it.each([760, 1137, 1512, 1534, 4043, 6124])(
    `of ${NODES} nodes recovers with seed %i, which once failed`,
    async (seed) => {
      expect((await runSeed(at(seed, NODES))).violation).toBe(null);
    },
  );

  it('met workers that died at work, messages that found no memory, and peers that held most of it', () => {
    for (const count of Object.values(met)) expect(count).toBeGreaterThan(0);
  });
});

/** The same with nodes that talk all the time. */
function talking(): Simulation {
  const simulation = quiet();
  simulation.schedule.every(200, () => {
    for (const node of simulation.nodes) node.speak(50);
  });
  return simulation;
}

describe('what a simulation must find, it finds:', () => {
  it('a network that loses bytes of a connection that goes on', async () => {
    const simulation = talking();
    let pieces = 0;
    simulation.network.tamper = (piece) => (++pieces % 500 === 0 ? piece.subarray(1) : piece);
    expect((await simulation.run()).violation).not.toBe(null);
  });

  it('a network that delivers bytes twice', async () => {
    const simulation = talking();
    let pieces = 0;
    simulation.network.tamper = (piece) => (++pieces % 500 === 0 ? Buffer.concat([piece, piece]) : piece);
    expect((await simulation.run()).violation).not.toBe(null);
  });

  it('a byte that is another, deep within a message', async () => {
    const simulation = quiet();
    simulation.schedule.every(500, () => {
      for (const node of simulation.nodes) node.speak(12_000);
    });
    let changes = 0;
    simulation.network.tamper = (piece) => {
      if (piece.length < 8000 || changes++ > 0) return piece;
      const changed = Buffer.from(piece);
      changed[4000] ^= 1;
      return changed;
    };
    expect((await simulation.run()).violation?.what).toMatch(/a message of node-\d+ is not what was sent$/);
  });

  it('a request that a queued handler never gets', async () => {
    const simulation = quiet();
    simulation.schedule.after(3000, () => {
      const { postman } = simulation.nodes[3].core!;
      const send = postman.send.bind(postman);
      postman.send = async (peerId, type, payload) => {
        if (type !== 'sim/request') await send(peerId, type, payload);
      };
    });
    expect((await simulation.run()).violation?.what).toMatch(
      /^lost: node-\d+ has answered \d+ of \d+ requests of node-3$/,
    );
  });

  it('a slot that is never given back', async () => {
    const simulation = quiet({ faultsMs: 18_000 });
    simulation.schedule.after(4000, () => {
      simulation.nodes[5].core!.table.isReleased = () => false;
      for (const socket of [...simulation.nodes[5].host.sockets]) socket.reset();
    });
    expect((await simulation.run()).violation?.what).toMatch(
      /^node-5: node-\d+, Disconnected, has kept its slot for 12\d/,
    );
  });

  it('a send queue that grows beyond what it may', async () => {
    const simulation = quiet();
    Object.defineProperty(simulation.nodes[5], 'limits', {
      value: { ...simulation.nodes[5].settings, sendQueueBytes: -200 * 1024 },
    });
    simulation.schedule.after(2000, () => {
      for (const { host } of simulation.nodes) if (host !== simulation.nodes[5].host) host.read('nothing');
    });
    simulation.schedule.every(100, () => simulation.nodes[5].fill(20, 40_000));
    expect((await simulation.run()).violation?.what).toMatch(/^node-5: \d+ B wait for node-\d+$/);
  });

  it('a node that has more peers than it may', async () => {
    const simulation = quiet();
    // What it is held to, not what it goes by.
    Object.defineProperty(simulation.nodes[5], 'limits', {
      value: { ...simulation.nodes[5].settings, maxOutbound: 2 },
    });
    expect((await simulation.run()).violation?.what).toBe('node-5: 3 outbound peers');
  });

  it('nodes that never find enough others', async () => {
    const simulation = quiet();
    // Nobody takes anybody in, though they have places.
    for (const node of simulation.nodes.slice(2)) {
      Object.defineProperty(node, 'limits', { value: { ...node.settings } });
      Object.assign(node.settings, { maxInbound: 0 });
    }
    expect((await simulation.run()).violation?.what).toContain('not recovered: ');
  });

  it('a message that never comes out of a node', async () => {
    const simulation = quiet();
    const deaf = simulation.nodes[3];
    deaf.hear = () => undefined;
    expect((await simulation.run()).violation?.what).toMatch(/^lost: node-3 has got 0 of \d+ messages of node-\d+$/);
  });

  it('a worker that dies and has not kept how far it had come', async () => {
    const simulation = talking();
    // Several, since one that has the next frame of each peer before it looks at the clock makes it good.
    for (const [i, node] of simulation.nodes.slice(2, 8).entries()) {
      simulation.schedule.after(4000 + 37 * i, () => {
        const { arena, table } = node.core!;
        for (const { seat } of table.connected()) arena.words[arena.layout.slot(seat!.slot) + Slot.Progress] += 5;
        node.killWorker(0);
      });
    }
    expect((await simulation.run()).violation).not.toBe(null);
  });

  it('code that throws', async () => {
    const simulation = quiet();
    simulation.schedule.after(2000, () => {
      throw new Error('a fault of the program');
    });
    expect((await simulation.run()).violation?.what).toContain('a fault of the program');
  });

  it('code that throws behind a promise', async () => {
    const simulation = quiet();
    simulation.schedule.after(4000, () => {
      simulation.nodes[2].core!.pump.turn = () => {
        throw new Error('a fault of the pump');
      };
    });
    expect((await simulation.run()).violation?.what).toContain('a fault of the pump');
  });

  it('a fault that shows only when a worker dies, and that one death is enough for it', async () => {
    const plant = (simulation: Simulation) => {
      for (const node of simulation.nodes) {
        node.killWorker = () => {
          throw new Error('a fault of the takeover');
        };
      }
    };
    const run = at(5, 14);
    const outcome = await runSeed(run, { plant });
    expect(outcome.violation?.what).toContain('a fault of the takeover');
    const { run: smallest } = await smallestFailure(run, outcome, { plant });
    expect(smallest.faults.map(({ event }) => event.kind)).toEqual(['worker']);
  });
});
