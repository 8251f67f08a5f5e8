import { describe, expect, it } from 'vitest';
import { Slot } from '../../src/shared/memory/arena-layout.js';
import { makePlan } from './plan.js';
import { runSeed, seedRun } from './seed-run.js';
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

  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    it(
      `of ${NODES} nodes holds its invariants through faults and recovers, seeds ${first} to ${last}`,
      async () => {
        let sumOfDeaths = 0;
        for (let seed = first; seed <= last; seed++) {
          const { violation, deaths } = await runSeed(at(seed, NODES));
          expect({ seed, violation }, `npm run simulate -- --seed ${seed}`).toEqual({ seed, violation: null });
          sumOfDeaths += deaths;
        }
        expect(sumOfDeaths).toBeGreaterThan(0);
      },
      TEST_MS,
    );
  }
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
    expect((await simulation.run()).violation?.what).toMatch(
      /^lost: node-\d+ has sent \d+ messages to node-3, which has 0$/,
    );
  });

  it('a worker that dies and has not kept how far it had come', async () => {
    const simulation = talking();
    const node = simulation.nodes[4];
    simulation.schedule.after(4000, () => {
      const { arena, table } = node.core!;
      for (const { seat } of table.connected()) arena.words[arena.layout.slot(seat!.slot) + Slot.Progress] += 5;
      node.killWorker(0);
    });
    expect((await simulation.run()).violation).not.toBe(null);
  });

  it('code that throws', async () => {
    const simulation = quiet();
    simulation.schedule.after(2000, () => {
      throw new Error('a fault of the program');
    });
    expect((await simulation.run()).violation?.what).toContain('a fault of the program');
  });
});
