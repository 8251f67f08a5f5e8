import { expect, it } from 'vitest';
import type { PlannedEvent } from './plan.js';
import { shrink } from './shrink.js';

const plan: PlannedEvent[] = Array.from({ length: 60 }, (_, node) => ({ atMs: node, event: { kind: 'start', node } }));

it('the smallest failing part of a plan is found, wherever its events stand', async () => {
  const needed = [3, 31, 58];
  const { plan: smallest } = await shrink(plan, async (rest) =>
    needed.every((node) => rest.some(({ atMs }) => atMs === node)),
  );
  expect(smallest.map(({ atMs }) => atMs)).toEqual(needed);
});

it('a plan that fails whatever happens shrinks to nothing', async () => {
  expect((await shrink(plan, async () => true)).plan).toEqual([]);
});

it('a failure that no part repeats keeps its plan, after a bounded number of tries', async () => {
  const { plan: smallest, tries } = await shrink(plan, async (rest) => rest.length === plan.length);
  expect(smallest).toEqual(plan);
  expect(tries).toBeLessThanOrEqual(200);
});
