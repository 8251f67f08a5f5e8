import { defineConfig } from 'vitest/config';

/** What takes long and asks little of Node itself: CI runs it on one version only. */
const long = ['test/simulation/simulation.test.ts', 'test/fuzz/**/*.test.ts', 'test/integration/kills.test.ts'];

export default defineConfig({
  test: {
    // Each file in its own process: tests that start nodes must not share a main thread with others.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'most',
          include: ['test/**/*.test.ts'],
          exclude: ['test/attacks/**', ...long],
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'long', include: long, sequence: { groupOrder: 0 } } },
      {
        // After the others and one file at a time: they hold a node to times, and need the machine for themselves.
        extends: true,
        test: { name: 'attacks', include: ['test/attacks/*.test.ts'], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
