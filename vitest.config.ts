import { defineConfig } from 'vitest/config';

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
          name: 'all',
          include: ['test/**/*.test.ts'],
          exclude: ['test/attacks/**'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // After the others and one file at a time: they hold a node to times, and need the machine for themselves.
        extends: true,
        test: { name: 'attacks', include: ['test/attacks/*.test.ts'], maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
