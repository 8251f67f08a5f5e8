/** What happens to a simulated network: made from a seed before anything runs, so that parts of it can be left out. */
import type { Seeded } from './seeded.js';

/** The process is killed; the machine loses power; the disk is lost as well, and what comes back has another ID. */
export type Crash = 'killed' | 'unplugged' | 'wiped';

export type Event =
  | { readonly kind: 'start'; readonly node: number }
  | { readonly kind: 'crash'; readonly node: number; readonly how: Crash; readonly forMs: number }
  | { readonly kind: 'leave'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'partition'; readonly sides: readonly number[]; readonly forMs: number }
  | { readonly kind: 'reset'; readonly node: number; readonly connection: number }
  | { readonly kind: 'read'; readonly node: number; readonly how: 'slowly' | 'nothing'; readonly forMs: number }
  | { readonly kind: 'clock'; readonly node: number; readonly byMs: number }
  | { readonly kind: 'worker'; readonly node: number; readonly looksLeft: number }
  | { readonly kind: 'speak' | 'ask'; readonly node: number; readonly bytes: number; readonly times: number }
  | { readonly kind: 'fill'; readonly node: number; readonly peers: number; readonly forMs: number }
  | { readonly kind: 'broadcast'; readonly node: number; readonly bytes: number };

export interface PlannedEvent {
  readonly atMs: number;
  readonly event: Event;
}

export interface PlanOptions {
  readonly nodes: number;
  /** Within it everything goes wrong; after it nothing does. */
  readonly faultsMs: number;
  readonly faults: number;
}

const DAY_MS = 86_400_000;
/** Within so long all nodes begin. */
const STARTS_MS = 3000;

/** The plan of a seed, in order of time. Nodes 0 and 1 are the seeds that others know; they are there from the beginning. */
export function makePlan({ nodes, faultsMs, faults }: PlanOptions, chance: Seeded): PlannedEvent[] {
  const plan: PlannedEvent[] = [];
  for (let node = 0; node < nodes; node++) {
    plan.push({ atMs: node < 2 ? 0 : chance.between(0, STARTS_MS), event: { kind: 'start', node } });
  }
  for (let i = 0; i < faults; i++) plan.push({ atMs: chance.between(0, faultsMs), event: fault(nodes, chance) });
  return plan.sort((a, b) => a.atMs - b.atMs);
}

function fault(nodes: number, chance: Seeded): Event {
  const node = chance.below(nodes);
  const forMs = chance.between(10, 15_000);
  const dice = chance.next();
  if (dice < 0.12) return { kind: 'crash', node, how: chance.pick(['killed', 'unplugged', 'wiped'] as const), forMs };
  if (dice < 0.2) return { kind: 'leave', node, forMs };
  if (dice < 0.24) {
    const share = chance.next();
    return { kind: 'partition', sides: Array.from({ length: nodes }, () => (chance.chance(share) ? 1 : 0)), forMs };
  }
  if (dice < 0.4) return { kind: 'reset', node, connection: chance.below(64) };
  if (dice < 0.48) return { kind: 'read', node, how: chance.chance(0.5) ? 'slowly' : 'nothing', forMs };
  if (dice < 0.52) return { kind: 'clock', node, byMs: chance.pick([-DAY_MS, -60_000, -1000, 1000, 60_000, DAY_MS]) };
  if (dice < 0.65) return { kind: 'worker', node, looksLeft: chance.below(40) };
  if (dice < 0.7) return { kind: 'fill', node, peers: 1 + chance.below(20), forMs };
  if (dice < 0.85) {
    // Mostly small, now and then larger than a ring or than what a link takes in a moment.
    const bytes = chance.pick([0, 20, 200, 200, 2000, 5000, 40_000]);
    const kind = chance.chance(0.5) ? 'speak' : 'ask';
    return { kind, node, bytes, times: 1 + chance.below(bytes > 4000 ? 4 : 20) };
  }
  return { kind: 'broadcast', node, bytes: chance.pick([16, 100, 1000, 20_000]) };
}
