/**
 * Clocks that are set: whoever controls a node's time server sets its wall clock, and machines that start or sleep set
 * theirs. What lasts by the wall clock lasts as long as it should, and nothing else looks at it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/main/config/resolve.js';
import { PeerMemory, type PeerStore } from '../../src/main/peer-memory.js';
import { Conduct } from '../../src/main/peers/conduct.js';
import type { World } from '../../src/main/world.js';
import { ErrorCode, errorCodeName } from '../../src/shared/errors.js';
import type { PlannedEvent } from '../simulation/plan.js';
import { defaults, Simulation } from '../simulation/simulation.js';
import { SurvivingStore } from '../simulation/surviving-store.js';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const EPOCH_MS = 1_790_000_000_000;
const SECOND_MS = 1000;
/** What may be remembered falsely: what is looked at only every ten seconds. */
const SLACK_MS = 15_000;
const jumps = [DAY_MS, -DAY_MS, 30 * DAY_MS, -YEAR_MS, 10 * YEAR_MS, -30 * YEAR_MS];
const enemy = { ip: '203.0.113.9', id: 'enemy' };
const counters = { uptimeSeconds: 0, messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0 };

/** What a node remembers, by a clock of the test's. */
class Remembering {
  nowMs = 1000;
  skewMs = 0;
  readonly store: PeerStore = new SurvivingStore(() => this.nowMs);
  readonly #world = {
    clock: { nowMs: () => this.nowMs, wallMs: () => EPOCH_MS + this.nowMs + this.skewMs },
    random: () => 0.5,
    randomBytes: (bytes: number) => Buffer.alloc(bytes, 7),
  } as unknown as World;
  memory = this.#remember();

  get conduct(): Conduct {
    const { bans, reputation, clock } = this.memory;
    return new Conduct({ bans, reputation, wallMs: () => clock.wallMs(), banned: () => undefined });
  }

  /** Time passes, looked at each second as the node does; `jumps` are by how much the wall clock is set in it. */
  pass(ms: number, setBy: readonly number[] = []): void {
    const every = Math.max(SECOND_MS, Math.floor(ms / (setBy.length + 1)));
    for (let i = 0; i < Math.ceil(ms / every); i++) {
      this.nowMs += Math.min(every, ms - i * every);
      this.skewMs += setBy[i] ?? 0;
      this.memory.sweep(counters);
    }
  }

  #remember(): PeerMemory {
    return new PeerMemory(this.store, resolveSettings({ library: { dataDir: '/nowhere' } }), 'me', this.#world);
  }
}

describe('a clock that is set', () => {
  it('ends no ban before its time and makes none last longer, however often it is set', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...jumps), { maxLength: 8 }), (setBy) => {
        const node = new Remembering();
        const offend = () => node.conduct.note('workerPoisoned', enemy);
        offend();
        expect(node.conduct.judge(enemy)?.code).toBe(ErrorCode.Banned);
        node.pass(DAY_MS - SLACK_MS, setBy);
        expect(node.conduct.judge(enemy)?.code).toBe(ErrorCode.Banned);
        node.pass(2 * SLACK_MS);
        expect(node.conduct.judge(enemy)?.code).not.toBe(ErrorCode.Banned);
        // The second offence is remembered as such: a week.
        offend();
        node.pass(7 * DAY_MS - SLACK_MS, setBy);
        expect(node.conduct.judge(enemy)?.code).toBe(ErrorCode.Banned);
        node.pass(2 * SLACK_MS);
        expect(node.conduct.judge(enemy)?.code).not.toBe(ErrorCode.Banned);
      }),
      { numRuns: 50 },
    );
  });

  it('is known before anybody is judged by it', () => {
    for (const byMs of jumps) {
      const node = new Remembering();
      node.conduct.note('workerPoisoned', enemy);
      node.nowMs += 10;
      node.skewMs += byMs;
      expect(node.conduct.judge(enemy)?.code).toBe(ErrorCode.Banned);
    }
  });

  it('neither forgives debts nor makes them new', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...jumps), { maxLength: 8 }), (setBy) => {
        const [steady, jumping] = [new Remembering(), new Remembering()];
        for (const node of [steady, jumping]) {
          for (let i = 0; i < 5; i++) node.conduct.note('pexInvalid', enemy);
        }
        steady.pass(6 * 3_600_000);
        jumping.pass(6 * 3_600_000, setBy);
        expect(jumping.conduct.score(enemy)).toBeCloseTo(steady.conduct.score(enemy), 1);
      }),
      { numRuns: 50 },
    );
  });

  it('disturbs no connection, no message and no broadcast of a network in which all clocks are set all the time', async () => {
    const NODES = 12;
    const FAULTS_MS = 30_000;
    const plan: PlannedEvent[] = [];
    for (let node = 0; node < NODES; node++) plan.push({ atMs: node, event: { kind: 'start', node } });
    for (let atMs = 10_000; atMs < FAULTS_MS; atMs += 500) {
      const node = (atMs / 500) % NODES;
      const byMs = jumps[(atMs / 500) % jumps.length];
      plan.push({ atMs, event: { kind: 'clock', node, byMs } });
      plan.push({ atMs: atMs + 100, event: { kind: 'speak', node: (node + 5) % NODES, bytes: 200, times: 3 } });
      plan.push({ atMs: atMs + 200, event: { kind: 'broadcast', node: (node + 7) % NODES, bytes: 100 } });
    }
    const left = new Map<string, number>();
    const trace = (line: string) => {
      const code = /^\d+(?:\.\d+)? \d+ - \S+ (\d+)$/.exec(line)?.[1];
      if (code !== undefined) left.set(errorCodeName(Number(code)), (left.get(errorCodeName(Number(code))) ?? 0) + 1);
    };
    const outcome = await new Simulation(
      { ...defaults, faultsMs: FAULTS_MS, seed: 5, nodes: NODES, trace },
      plan,
    ).run();
    expect(outcome.violation).toBe(null);
    expect(outcome.messages).toBeGreaterThan(300);
    // Rotation goes on; nobody is thought dead, idle, slow or banned.
    expect([...left.keys()].filter((name) => name !== 'GoingAway' && name !== 'DuplicateConnection')).toEqual([]);
  });
});
