/**
 * Workers that are killed at random while numbered messages flow both ways. `PAW_KILLS` is how often (200), `PAW_KILL_SEED`
 * repeats a run's choices; what the threads make of them is never quite the same.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Seeded } from '../simulation/seeded.js';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';
import { reckon } from './support/reckon.js';

const KILLS = Number(process.env.PAW_KILLS ?? 200);
const SEED = Number(process.env.PAW_KILL_SEED ?? Math.trunc(Math.random() * 2 ** 31));
const PEERS = 4;
const WORKERS = 2;
/** A thread may be off its core for long where others run tests as well: that is no death that was asked for. */
const TIMEOUT_MS = 1000;
/** From a death to a replacement that is up; at the median, since the machine runs other tests as well. */
const RECOVERY_MS_MAX = 250;
/** From one death to the next, at the worst: a hang, a heap that fills, a thread that comes up on a machine that is busy. */
const KILL_MS_MAX = 20_000;
/** Frames that a peer may have sent without an answer: enough that a worker always has some. */
const IN_FLIGHT_MAX = 200;

const manners = ['exit', 'hang', 'heap', 'throw'] as const;
const types = ['die', 'dieQueued', 'dieLater'] as const;

/** A peer that goes on sending numbered messages, and keeps count of what comes back. */
class Chatter {
  readonly peer: RawPeer;
  readonly name: string;
  readonly #chance: Seeded;
  /** Numbers sent, by type. */
  readonly sent = { seq: 0, queued: 0 };
  readonly acks: Record<'ack' | 'qack', number[]> = { ack: [], qack: [] };
  readonly news: string[] = [];
  readonly died = new Set<string>();
  #read = 0;

  constructor(peer: RawPeer, name: string, chance: Seeded) {
    this.peer = peer;
    this.name = name;
    this.#chance = chance;
  }

  /** Sends a few more, unless many are on their way. */
  chat(): void {
    this.read();
    const frames: Buffer[] = [];
    for (const [type, ack] of [
      ['seq', 'ack'],
      ['queued', 'qack'],
    ] as const) {
      for (let i = 0; i < 10 && this.sent[type] - (this.acks[ack].at(-1) ?? -1) < IN_FLIGHT_MAX; i++) {
        // Most are small, some wrap round the ring, a few are larger than it.
        const dice = this.#chance.next();
        const payload = Buffer.alloc(
          dice < 0.005 ? 100_000 : dice < 0.05 ? 9000 : 4 + Math.trunc(this.#chance.next() * 300),
        );
        payload.writeUInt32BE(this.sent[type]++);
        frames.push(frame(type, payload));
      }
    }
    if (frames.length > 0) this.peer.socket.write(Buffer.concat(frames));
  }

  read(): void {
    const { frames } = this.peer;
    for (; this.#read < frames.length; this.#read++) {
      const { type, payload } = frames[this.#read];
      if (type === 'ack' || type === 'qack') this.acks[type].push(payload.readUInt32BE(0));
      else if (type === 'news' || type === 'qnews') this.news.push(`${type} ${payload}`);
      else if (type === 'died') this.died.add(payload.toString());
    }
  }

  /** All that was sent up to `sent` has been answered. */
  hasAll({ seq, queued }: { seq: number; queued: number }): boolean {
    this.read();
    return (this.acks.ack.at(-1) ?? -1) >= seq - 1 && (this.acks.qack.at(-1) ?? -1) >= queued - 1;
  }
}

it(`${KILLS} deaths in all manners under load lose nothing and double at most what was in hand (seed ${SEED})`, {
  timeout: 60_000 + KILLS * KILL_MS_MAX,
}, async () => {
  const chance = new Seeded(SEED, 'kills');
  const folder = mkdtempSync(join(tmpdir(), 'paw-kills-'));
  const node = await startNode({
    handlers: [handlerModule('perishable.mjs')],
    workers: WORKERS,
    ringSize: '64KiB',
    workerTimeout: TIMEOUT_MS,
    workerHeap: '24MiB',
  });
  const names = Array.from({ length: PEERS }, (_, i) => `p${i}`);
  const peers = await Promise.all(names.map((name) => RawPeer.join(portOf(node), name)));
  const chatters = peers.map((peer, i) => new Chatter(peer, names[i], chance));
  const restarts = () => node.stats().workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const upMs: { how: string; ms: number }[] = [];
  const reasons: string[] = [];
  let ups = 0;
  let upAtMs = 0;
  node.on('worker:restarted', ({ reason }) => {
    reasons.push(reason);
    ups++;
    upAtMs = performance.now();
  });
  const chat = setInterval(() => {
    for (const chatter of chatters) chatter.chat();
  }, 4);
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const startMs = performance.now() + chance.next() * 40;
      await until(() => performance.now() > startMs, 'a moment');
      const before = restarts();
      const upsBefore = ups;
      const victim = chance.pick(chatters);
      const isFromOutside = chance.chance(0.3);
      const how = isFromOutside ? 'terminate' : chance.pick(manners);
      let message = '';
      if (isFromOutside) {
        void chance.pick(node.workerThreads).terminate();
      } else {
        const type = chance.pick(types);
        message = JSON.stringify({ manner: how, file: join(folder, `${kill}`) });
        victim.peer.send(type, Buffer.from(message));
      }
      await until(() => restarts() > before, `death ${kill} by ${how}`, KILL_MS_MAX);
      const diedAtMs = performance.now();
      await until(() => ups > upsBefore, `the replacement ${kill}`, KILL_MS_MAX);
      upMs.push({ how, ms: Math.max(0, upAtMs - diedAtMs) });
      // So that nothing is in hand at two deaths: that would be given up, rightly.
      const sent = chatters.map((chatter) => ({ ...chatter.sent }));
      const missing = () =>
        chatters.flatMap(({ name, acks }, i) =>
          chatters[i].hasAll(sent[i])
            ? []
            : [`${name} has ${acks.ack.at(-1)}, ${acks.qack.at(-1)} of ${JSON.stringify(sent[i])}`],
        );
      await until(
        () => chatters.every((chatter, i) => chatter.hasAll(sent[i])),
        `answers after ${kill} by ${how}`,
        KILL_MS_MAX,
      ).catch((error: Error) => {
        throw new Error(`${error.message}: ${missing().join('; ')}; ${reasons.at(-1)}, ${message}`);
      });
      // A message that throws later without being waited for is done, or is handled again and then answers.
      const isDone = () => {
        victim.read();
        return message === '' || victim.died.has(message) || how === 'throw';
      };
      await until(isDone, `the answer to the killer ${kill}`, KILL_MS_MAX);
      if (restarts() !== before + 1)
        throw new Error(`${restarts() - before} deaths for ${how}: ${reasons.slice(-3).join('; ')}`);
    }
  } finally {
    clearInterval(chat);
    rmSync(folder, { recursive: true });
  }
  await until(() => chatters.every((chatter) => chatter.hasAll(chatter.sent)), 'the last answers', KILL_MS_MAX);
  const expectedNews = chatters.flatMap(({ name, sent }) =>
    (['seq', 'queued'] as const).flatMap((type) =>
      Array.from(
        { length: Math.ceil(sent[type] / 20) },
        (_, i) => `${type === 'seq' ? 'news' : 'qnews'} ${name} ${i * 20}`,
      ),
    ),
  );
  const hasNews = (chatter: Chatter) => {
    chatter.read();
    return new Set(chatter.news).size >= expectedNews.length;
  };
  await until(() => chatters.every(hasNews), 'the last news', KILL_MS_MAX);
  let doubled = 0;
  for (const { acks, sent, news, name } of chatters) {
    for (const [ack, count] of [
      ['ack', sent.seq],
      ['qack', sent.queued],
    ] as const) {
      const found = reckon(acks[ack], count);
      expect({ name, ack, lost: found.lost, isOrdered: found.isOrdered }).toEqual({
        name,
        ack,
        lost: [],
        isOrdered: true,
      });
      doubled += found.doubled;
    }
    const told = new Set(news);
    expect(expectedNews.filter((item) => !told.has(item))).toEqual([]);
    // What one worker had in hand is told to each peer once more.
    expect(news.length - told.size).toBeLessThanOrEqual(2 * KILLS);
  }
  expect(doubled).toBeLessThanOrEqual(2 * KILLS);
  // What was thrown may quote a payload.
  expect(reasons.join()).not.toContain('secret');
  expect(node.peers()).toHaveLength(PEERS);
  expect(node.stats().messages).toMatchObject({ dropped: 0 });
  const sorted = upMs.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  expect(at(0.5)).toBeLessThan(RECOVERY_MS_MAX);
  if (process.env.PAW_KILLS === undefined) return;
  const total = chatters.reduce((sum, { sent }) => sum + sent.seq + sent.queued, 0);
  console.log(
    `${KILLS} deaths, ${total} messages, ${doubled} answers doubled; replacement up after ${at(0.5)} ms (median), ${at(0.9)} ms (90 %), ${at(1)} ms (longest)`,
  );
});
