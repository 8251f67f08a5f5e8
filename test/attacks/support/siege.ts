/**
 * A node under attack: the real program as a process, a good peer as another, the attackers as a third. Whatever is done,
 * it holds the node to what it promises: the good peer's pings are answered in time, its messages all arrive, once and in
 * order; memory stays within budget and a fixed overhead; and once the attackers are gone, so is everything of theirs.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { expect } from 'vitest';
import { BESIDE_BUDGET_MIB } from '../../e2e/beside-budget.js';
import { NodeProcess, type Status } from './node-process.js';
import { type Figures, report, type Times, type Visits } from './report.js';

/** What the issue promises the good peer. */
const MOST_PING_MS = 500;
const BUDGET_MIB = 64;
const MIB = 1024 * 1024;
const WATCH_EVERY_MS = 50;
/** Refused connections linger for up to 5 s, and those whose peer does not read for the write timeout before that. */
const SETTLE_MS = 20_000;
/** Looks, 20 ms apart, in which nothing changes. */
const STEADY_LOOKS = 40;
const GOOD_PEER = '127.9.0.1';

/** What the good peer found since it was asked last. */
interface Found {
  readonly isGone: boolean;
  readonly isWhole: boolean;
  readonly pings: Times;
  readonly messages: Times;
  readonly news: Times;
  readonly visits: Visits;
}

/** Waits until a condition of other processes holds, or fails with what was waited for. */
async function eventually(what: string, isTrue: () => Promise<boolean>, withinMs: number): Promise<number> {
  const startMs = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - startMs > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - startMs;
}

function start(name: string, args: readonly string[]): ChildProcess {
  return fork(new URL(name, import.meta.url), args);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** The next message of a process; fails if it ends instead. */
function answer<T>(child: ChildProcess, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`${what}: the process ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });
}

export class Siege {
  static readonly goodPeerId = 'good';
  readonly node: NodeProcess;
  readonly #goodPeer: ChildProcess;
  /** Descriptors before the first attack. */
  #atRest: number | null = null;
  /** Attacks so far. */
  #attacks = 0;
  /** Attackers that have not gone by themselves, because something failed. */
  #attackers: ChildProcess | null = null;

  private constructor(node: NodeProcess, goodPeer: ChildProcess) {
    this.node = node;
    this.#goodPeer = goodPeer;
  }

  /** Starts a node and its good peer. */
  static async begin(options: readonly string[] = []): Promise<Siege> {
    const handlers = new URL('handlers.mjs', import.meta.url).pathname;
    // One worker: everybody shares it, the good peer too.
    const limits = [
      '--memory-budget',
      `${BUDGET_MIB}MiB`,
      '--max-peers',
      '300',
      '--max-inbound',
      '280',
      '--workers',
      '1',
    ];
    const node = await NodeProcess.start(['--handlers', handlers, '--min-outbound', '0', ...limits, ...options]);
    const goodPeer = start('good-peer.mjs', [String(node.port), Siege.goodPeerId, GOOD_PEER]);
    await answer(goodPeer, 'the good peer');
    return new Siege(node, goodPeer);
  }

  /** Ends the node and everybody who came to it. */
  async end(): Promise<void> {
    if (this.#attackers !== null) await endOf(this.#attackers);
    await endOf(this.#goodPeer);
    await this.node.end();
  }

  /** From now on the good peer has the node broadcast so many bytes with each of its messages. 0 for no more. */
  tell(newsBytes: number): void {
    this.#goodPeer.send({ kind: 'tell', newsBytes });
  }

  /**
   * The attackers do what they do for so long, and are gone. Reports what it came to, and fails if the node did not
   * hold out.
   * @param attack an export of `attackers/`
   */
  async withstands(attack: string, options: Readonly<Record<string, unknown>>, forMs: number): Promise<Figures> {
    await this.#found();
    const atRest = { descriptors: await this.#descriptorsAtRest(), residentBytes: this.node.residentBytes };
    const watch = this.#watch();
    const startMs = performance.now();
    const cpuMs = this.node.cpuMs;
    const target = { port: this.node.port, realm: this.#attacks++, ...options };
    const attackers = start('attacker.mjs', [JSON.stringify({ attack, ...target })]);
    this.#attackers = attackers;
    await answer(attackers, attack);
    await new Promise((resolve) => setTimeout(resolve, forMs));
    const goneBy = answer<{ found: unknown }>(attackers, attack);
    attackers.send('stop');
    const { found: deeds } = await goneBy;
    this.#attackers = null;
    const seconds = (performance.now() - startMs) / 1000;
    const cpuShare = (this.node.cpuMs - cpuMs) / (seconds * 1000);
    const seen = await watch.end();
    const found = await this.#found();
    this.tell(0);
    const settledMs = await this.#settled(atRest);
    const rest = await this.#whole();
    const figures: Figures = {
      attack,
      seconds,
      pings: found.pings,
      messages: found.messages,
      news: found.news,
      visits: found.visits,
      residentMib: {
        before: Math.round(atRest.residentBytes / MIB),
        peak: Math.round(seen.residentBytes / MIB),
        after: Math.round(this.node.residentBytes / MIB),
      },
      budgetUsedMib: Math.round(seen.usedBytes / MIB),
      cpuShare,
      loopLagMs: seen.loopLagMs,
      workerLagMs: seen.workerLagMs,
      adminMs: seen.adminMs,
      settledMs,
      attackers: deeds,
    };
    report(figures);
    expect.soft(await this.node.endOf(Siege.goodPeerId), 'why the good peer is disconnected').toBe(null);
    for (const exchange of [found.pings, found.messages, found.news, rest.pings, rest.messages, rest.news]) {
      expect.soft(exchange.outOfOrder, 'answers that were not due').toBe(0);
    }
    expect.soft(rest.messages.unanswered + rest.news.unanswered, 'messages that were lost').toBe(0);
    expect.soft(Math.max(found.pings.worstMs, rest.pings.worstMs), 'worst ping in ms').toBeLessThan(MOST_PING_MS);
    expect.soft(figures.residentMib.peak, 'resident MiB').toBeLessThan(BUDGET_MIB + BESIDE_BUDGET_MIB);
    expect.soft(seen.usedBytes, 'used of the budget').toBeLessThanOrEqual(BUDGET_MIB * MIB);
    expect.soft(seen.restarts, 'workers that died').toBe(0);
    expect.soft((await this.node.ask('/health')).code, 'health').toBe(200);
    return figures;
  }

  /** Looks at the node again and again until the end. */
  #watch() {
    const seen = { residentBytes: 0, usedBytes: 0, loopLagMs: 0, workerLagMs: 0, adminMs: 0, restarts: 0 };
    let isOver = false;
    const look = async () => {
      while (!isOver) {
        seen.residentBytes = Math.max(seen.residentBytes, this.node.residentBytes);
        const askedMs = performance.now();
        const { eventLoopLagMs, memory, workers } = await this.node.status();
        seen.adminMs = Math.max(seen.adminMs, performance.now() - askedMs);
        seen.usedBytes = Math.max(seen.usedBytes, memory.used);
        seen.loopLagMs = Math.max(seen.loopLagMs, eventLoopLagMs);
        seen.workerLagMs = Math.max(seen.workerLagMs, ...workers.map(({ lagMs }) => lagMs));
        seen.restarts = workers.reduce((sum, { restarts }) => sum + restarts, 0);
        await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
      }
    };
    const looking = look();
    return {
      end: async () => {
        isOver = true;
        await looking;
        return seen;
      },
    };
  }

  /**
   * Descriptors of the node at rest, before the first attack, once they stay the same: it goes on starting, a spare thread
   * for one, when it is ready. A visitor or a question to the admin HTTP comes and goes meanwhile.
   */
  async #descriptorsAtRest(): Promise<number> {
    if (this.#atRest !== null) return this.#atRest;
    await this.#settled({ descriptors: Number.POSITIVE_INFINITY });
    let seen: number[] = [];
    await eventually(
      'descriptors to stay the same',
      async () => {
        seen = [...seen, this.node.descriptors].slice(-STEADY_LOOKS);
        return seen.length === STEADY_LOOKS && Math.max(...seen) - Math.min(...seen) <= 2;
      },
      SETTLE_MS,
    );
    this.#atRest = Math.min(...seen);
    return this.#atRest;
  }

  /** Waits until only the good peer is there, with no more descriptors than before. A visitor may be there at a time. */
  async #settled(atRest: { readonly descriptors: number }): Promise<number> {
    const isSettled = async () => {
      const { peers, connections }: Status = await this.node.status();
      return peers.total === 1 && connections.handshaking === 0 && this.node.descriptors <= atRest.descriptors;
    };
    return eventually('connections and descriptors to be what they were', isSettled, SETTLE_MS);
  }

  #found(): Promise<Found> {
    const found = answer<Found>(this.#goodPeer, 'the good peer');
    this.#goodPeer.send({ kind: 'found' });
    return found;
  }

  /** What the good peer found once every message of its is answered but those of the last moment. */
  async #whole(): Promise<Found> {
    let found = await this.#found();
    await eventually(
      'the last messages to be answered',
      async () => {
        const next = await this.#found();
        found = { ...next, isGone: found.isGone || next.isGone };
        return next.isGone || (next.messages.unanswered === 0 && next.isWhole);
      },
      SETTLE_MS,
    );
    return found;
  }
}
