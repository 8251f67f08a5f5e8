import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/main/config/resolve.js';
import type { NodeOptions } from '../../src/main/config/settings.js';
import { geometryOf } from '../../src/main/geometry.js';

const host = { cwd: '/work', homeDir: '/home/paw', cores: 4, stdoutIsTerminal: false };

function settingsOf(library: NodeOptions) {
  return resolveSettings({ library }, host);
}

describe('rings', () => {
  it('that are left to the node fit any memory budget that the smallest fit', () => {
    const plan = fc.record({
      maxPeers: fc.integer({ min: 50, max: 10_000 }),
      memoryBudget: fc.integer({ min: 8, max: 65_536 }).map((mib) => `${mib}MiB`),
      workers: fc.integer({ min: 1, max: 16 }),
      unconditionalPeerIds: fc.nat(600).map((count) => Array.from({ length: count }, (_, i) => `peer-${i}`)),
    });
    fc.assert(
      fc.property(plan, (options) => {
        const settings = settingsOf(options);
        let fits = true;
        try {
          geometryOf({ ...settings, ringBytes: 4096 });
        } catch {
          fits = false;
        }
        if (fits) expect(geometryOf(settings).ringBytes).toBeGreaterThanOrEqual(4096);
      }),
      { numRuns: 500 },
    );
  });

  it('that no arena holds are refused in one line that names them', () => {
    const settings = settingsOf({ maxPeers: 10_000, memoryBudget: '64GiB', ringSize: '1MiB' });
    expect(() => geometryOf(settings)).toThrow(/^ringSize is '1MiB' \(settings\): must be smaller \(10032 rings /);
  });
});
