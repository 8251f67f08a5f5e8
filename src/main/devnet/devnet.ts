/**
 * A network of real nodes on this machine, each its own process, joined through one seed: starts it, lets it exchange
 * messages, and reckons up whether everything that was sent arrived. Main thread.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Frame, LiveDisplay, type Terminal } from './display.js';
import { Member } from './member.js';
import { type Summary, summarize } from './summary.js';

export interface DevnetOptions {
  readonly nodes: number;
  /** Messages a second of all nodes together. */
  readonly ratePerSecond: number;
  /** 0: until `stop` settles. */
  readonly durationMs: number;
}

/** Outbound peers that each node keeps up, in a network that has so many others. */
const MIN_OUTBOUND = 4;
const LOOK_MS = 50;
const SHOW_MS = 250;
const START_MS = 30_000;
const JOIN_MS = 30_000;
/** After the last message was sent: how long nothing may move, and how long it may take at all. */
const QUIET_MS = 3000;
const ARRIVE_MS = 15_000;
const COLLECT_MS = 5000;
const CLOSE_MS = 10_000;

/**
 * Runs a devnet to its end.
 * @param out where progress is shown
 * @param stop settles when the user wants it to end early; the reckoning is made all the same
 */
export async function runDevnet(options: DevnetOptions, out: Terminal, stop: Promise<unknown>): Promise<Summary> {
  const folder = mkdtempSync(path.join(tmpdir(), 'paw-devnet-'));
  const devnet = new Devnet(options, folder, new LiveDisplay(out));
  void stop.then(() => devnet.stop());
  try {
    return await devnet.run();
  } finally {
    devnet.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Devnet {
  readonly #options: DevnetOptions;
  readonly #folder: string;
  readonly #display: LiveDisplay;
  readonly #members: Member[] = [];
  readonly #failures: string[] = [];
  readonly #startMs = performance.now();
  #phase = 'starting';
  #stopped = false;
  #shown: { ms: number; sent: number[]; received: number[] } = { ms: 0, sent: [], received: [] };
  readonly #passed: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(options: DevnetOptions, folder: string, display: LiveDisplay) {
    this.#options = options;
    this.#folder = folder;
    this.#display = display;
    this.#timer = setInterval(() => this.#show(), SHOW_MS);
  }

  async run(): Promise<Summary> {
    const { nodes } = this.#options;
    await this.#start(0, null);
    const [seed] = this.#members;
    await Promise.all(Array.from({ length: nodes - 1 }, (_, i) => this.#start(i + 1, seed.listen)));
    this.#phase = 'joining';
    await this.#until(JOIN_MS, 'joined', () => this.#members.every(isJoined));
    this.#phase = 'running';
    this.#tellAll('generate');
    await this.#while(() => this.#members.some(({ generated }) => generated === null) && !this.#isBroken);
    this.#phase = 'arriving';
    await this.#allArrived();
    this.#phase = 'closing';
    this.#tellAll('collect');
    await this.#until(COLLECT_MS, 'told what arrived', () =>
      this.#members.every(({ collected }) => collected !== null),
    );
    this.#tellAll('close');
    await this.#until(CLOSE_MS, 'closed', () => this.#members.every(({ ending }) => ending !== null));
    for (const member of this.#members) {
      if (member.ending !== null && member.ending.code !== 0 && !this.#isBroken) {
        this.#failures.push(`${member.name} ended with ${member.ending.signal ?? `exit code ${member.ending.code}`}`);
      }
    }
    this.#phase = 'done';
    this.#show();
    return this.#summary();
  }

  /** The user has seen enough: nothing more is generated. */
  stop(): void {
    this.#stopped = true;
    this.#tellAll('stop');
  }

  /** Ends whatever still runs. */
  dispose(): void {
    clearInterval(this.#timer);
    for (const member of this.#members) member.kill();
    this.#display.close();
  }

  get #isBroken(): boolean {
    return this.#failures.length > 0;
  }

  async #start(index: number, seed: string | null): Promise<void> {
    const { nodes, ratePerSecond, durationMs } = this.#options;
    // One node is another kind, so that more than one worker takes part.
    const kind =
      index === 0 ? ({ preset: 'high-traffic', workers: 2 } as const) : ({ preset: 'default', workers: 1 } as const);
    const minOutbound = Math.min(MIN_OUTBOUND, nodes - 1);
    const plan = { index, nodes, ...kind, seed, minOutbound, ratePerSecond, durationMs };
    const member = Member.start(this.#folder, plan, (reason) => this.#failures.push(reason));
    this.#members[index] = member;
    await this.#until(START_MS, `node ${index + 1} ready`, () => member.isReady);
  }

  /** Waits for a condition; a failure of the network ends the wait, and one that takes too long is a failure. */
  async #until(limitMs: number, what: string, isTrue: () => boolean): Promise<void> {
    const endMs = performance.now() + limitMs;
    await this.#while(() => !isTrue() && !this.#isBroken && performance.now() < endMs);
    if (!isTrue() && !this.#isBroken) this.#failures.push(`not ${what} within ${limitMs / 1000} s`);
  }

  async #while(isTrue: () => boolean): Promise<void> {
    while (isTrue()) {
      this.#tellPassed();
      await delay(LOOK_MS);
    }
  }

  /** Waits until every node has every message of the others, or nothing has moved for a while. */
  async #allArrived(): Promise<void> {
    const startMs = performance.now();
    let arrived = -1;
    let movedMs = startMs;
    await this.#while(() => {
      const nowMs = performance.now();
      const total = this.#members.reduce(
        (sum, { report }) => sum + (report?.origins ?? []).reduce((s, o) => s + o.unique, 0),
        0,
      );
      if (total !== arrived) movedMs = nowMs;
      arrived = total;
      const sent = this.#members.reduce((sum, { generated }) => sum + (generated ?? 0), 0);
      const isDone = arrived >= sent * (this.#members.length - 1);
      return !isDone && !this.#isBroken && nowMs - movedMs < QUIET_MS && nowMs - startMs < ARRIVE_MS;
    });
  }

  /** Tells each origin how far its messages have come everywhere, which makes room in its window. */
  #tellPassed(): void {
    for (const [origin, member] of this.#members.entries()) {
      const others = this.#members.filter((other) => other !== member);
      const ends = others.map(({ report }) => report?.origins.find((count) => count.origin === origin)?.end ?? 0);
      const sequence = Math.min(...ends);
      if (others.length === 0 || sequence <= (this.#passed[origin] ?? 0)) continue;
      this.#passed[origin] = sequence;
      member.tell({ kind: 'passed', sequence });
    }
  }

  #tellAll(kind: 'generate' | 'stop' | 'collect' | 'close'): void {
    for (const member of this.#members) member.tell({ kind });
    // A stop that came before the order to generate still holds.
    if (kind === 'generate' && this.#stopped) this.#tellAll('stop');
  }

  #show(): void {
    const nowMs = performance.now();
    const seconds = Math.max(0.001, (nowMs - this.#shown.ms) / 1000);
    const sent = this.#members.map(({ report }) => report?.sent ?? 0);
    const received = this.#members.map(({ report }) => report?.received ?? 0);
    const frame: Frame = {
      phase: this.#phase,
      seconds: (nowMs - this.#startMs) / 1000,
      nodes: this.#members.map(({ plan, nodeId, report }, i) => ({
        name: `${plan.index + 1} ${nodeId.slice(0, 8)}`,
        preset: plan.preset,
        report,
        sentPerSecond: (sent[i] - (this.#shown.sent[i] ?? 0)) / seconds,
        receivedPerSecond: (received[i] - (this.#shown.received[i] ?? 0)) / seconds,
      })),
    };
    this.#shown = { ms: nowMs, sent, received };
    this.#display.show(frame);
  }

  #summary(): Summary {
    const outcomes = this.#members.map(({ nodeId, plan, generated, report, collected }) => ({
      nodeId,
      preset: plan.preset,
      sent: generated ?? report?.sent ?? 0,
      report,
      arrivals: collected?.arrivals ?? null,
    }));
    return summarize(outcomes, (performance.now() - this.#startMs) / 1000, this.#failures);
  }
}

/** Peers enough: two nodes that dialled each other have one connection, which is outbound for one of them only. */
function isJoined({ report, plan }: Member): boolean {
  return (report?.peers ?? 0) >= plan.minOutbound;
}
