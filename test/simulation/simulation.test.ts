import { expect, it } from 'vitest';
import { makePlan } from './plan.js';
import { Seeded } from './seeded.js';
import { Simulation } from './simulation.js';

it('x', async () => {
  for (let seed = 1; seed <= Number(process.env.SEEDS ?? 3); seed++) {
    const t = performance.now();
    const plan = makePlan({ nodes: 50, faultsMs: 30000, faults: 60 }, new Seeded(seed, 'plan'));
    const sim = new Simulation({ seed, nodes: 50, faultsMs: 30000, recoveryMs: 120000, spreadMs: 10000 }, plan);
    console.log(seed, JSON.stringify(await sim.run()), Math.round(performance.now() - t), 'ms');
  }
}, 600000);
