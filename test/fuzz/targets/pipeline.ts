/**
 * A worker without its thread, from the ring to what it sends and tells: handlers, control messages that are answered
 * ahead of slow handlers, gossip, msgpack, bursts, and a worker that dies in the middle. An input: [u8 rings, slow, death]
 * [u8 n][n lengths of pieces][u8 call that dies][stream]; with two peers both send the stream. Everything that goes out is
 * held against `reference/frames.ts`: what each peer is answered and told of, once and in order.
 */
import type { HandlerModule } from '../../../src/shared/handler.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { Death, Stage } from '../../unit/workers/pipeline-stage.js';
import { framesOf, type Item } from '../reference/frames.js';
import { msgpackOf } from '../reference/msgpack.js';
import { Choices, hex, must, mustEqual, type Target, text } from '../target.js';

const RING_SIZES = [256, 1024, 128, 4096] as const;
const SLOW_MS = 20;
/** After so many pieces the rest comes at once. */
const MAX_PIECES = 64;
/** A payload that begins so makes its handler throw, after it has answered. */
const THROWS = 0xee;
/** Marks of what goes out, before its bytes. */
const told: Readonly<Record<number, string>> = {
  [RecordKind.Pong]: 'pong',
  [RecordKind.Disconnect]: 'disconnect',
  [RecordKind.Pex]: 'pex',
  [RecordKind.Violation]: 'violation',
};
/** What of a payload is told to the main thread at most. */
const MOST_TOLD: Readonly<Record<string, number>> = { pong: 64, disconnect: 256, 'pex/peers': 128 * 1024 + 1 };

/** What one peer is answered, and what the main thread is told of it; each list in its own order. */
class Account {
  readonly acks: string[] = [];
  readonly pongs: string[] = [];
  readonly told: string[] = [];
  readonly violations: number[] = [];
}

/** What must come out for the peers' streams, where the first peer's messages are handled before those of the second. */
function wantedOf(items: readonly Item[], seen: Set<string>): Account {
  const account = new Account();
  for (const item of items) {
    if (item.kind !== 'frame') {
      account.violations.push(item.kind === 'drop' ? 5 : 4);
      continue;
    }
    const { type } = item;
    const bytes = Buffer.from(item.payload);
    const payload = bytes.toString('hex');
    if (type === 'ping') account.pongs.push(bytes.subarray(0, 64).toString('hex'));
    else if (Object.hasOwn(MOST_TOLD, type)) {
      const name = type === 'pex/peers' ? 'pex' : type;
      account.told.push(`${name} ${bytes.subarray(0, MOST_TOLD[type]).toString('hex')}`);
    } else if (type === 'tx') account.acks.push(`tx ${payload}`);
    else if (type === 'mp') {
      if (msgpackOf(item.payload) === null) account.violations.push(5);
      else account.acks.push(`mp ${payload}`);
    } else if (type === 'gs' && !seen.has(payload)) {
      seen.add(payload);
      account.acks.push(`gs ${payload}`);
    }
  }
  return account;
}

class Run {
  readonly stage: Stage;
  readonly found: readonly Account[];
  #calls = 0;
  deaths = 0;

  constructor(peers: number, ringBytes: number, isSlow: boolean, dyingCall: number) {
    const handler = (mark: string) =>
      ({
        handler: (message, context) => {
          const call = this.#calls++;
          if (call === dyingCall) throw new Death();
          if (isSlow) this.stage.clock.ms += SLOW_MS;
          context.reply(`ack-${mark}`, message.payload);
          if (call === dyingCall + 2) throw new Death();
          if (message.payload[0] === THROWS) throw new Error('a handler failed');
        },
      }) satisfies HandlerModule[string];
    const modules: HandlerModule = {
      tx: handler('tx'),
      mp: { ...handler('mp'), codec: 'msgpack' },
      gs: { ...handler('gs'), gossip: true },
    };
    this.stage = new Stage(modules, { slots: peers, ringBytes, outboundBytes: 2 ** 17 });
    this.found = Array.from({ length: peers }, () => new Account());
  }

  /** Lets bytes arrive and works until all is done that can be. @returns how many there was room for */
  arrive(slot: number, piece: Uint8Array): number {
    const took = this.stage.arrive(slot, piece);
    for (let tries = 0; ; tries++) {
      must(tries < 10, () => 'the worker dies again and again');
      try {
        this.stage.turns();
        break;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        this.deaths++;
        this.stage.takeOver();
      }
    }
    this.#collect();
    return took;
  }

  #collect(): void {
    const { frames, commands, data } = this.stage.out();
    for (const [slot, type, payload] of frames) {
      const account = this.found[slot];
      if (type === 'pong') account.pongs.push(payload.toString('hex'));
      else account.acks.push(`${type.slice('ack-'.length)} ${payload.toString('hex')}`);
    }
    for (const [i, [kind, slot, code]] of commands.entries()) {
      const name = told[kind];
      if (name === 'violation') this.found[slot].violations.push(code);
      else if (name !== undefined) this.found[slot].told.push(`${name} ${data[i].toString('hex')}`);
    }
  }
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const choices = new Choices(input);
  const mode = choices.byte();
  const lengths = [...choices.bytes(choices.byte() & 7)].map((byte) => 1 + byte);
  const dyingCall = (mode & 16) === 0 ? -100 : choices.byte();
  const peers = 1 + (mode & 1);
  const stream = choices.rest();
  const { items } = framesOf(stream);
  const worker = new Run(peers, RING_SIZES[(mode >> 1) & 3], (mode & 8) !== 0, dyingCall);
  const isClosed = items.at(-1)?.kind === 'close';
  for (let at = 0, pieces = 0; at < stream.length; pieces++) {
    const length = lengths.length === 0 || pieces >= MAX_PIECES ? stream.length : lengths[pieces % lengths.length];
    const piece = stream.subarray(at, at + length);
    for (let slot = 0; slot < peers; slot++) {
      for (let done = 0; done < piece.length; ) {
        const took = worker.arrive(slot, piece.subarray(done));
        must(took > 0 || isClosed, () => 'the worker leaves a full ring alone');
        done += took;
        if (took === 0) break;
      }
    }
    at += piece.length;
  }
  const seen = new Set<string>();
  const last = items.at(-1);
  // A large frame of an invalid type may be given up before it is whole.
  const early = last !== undefined && last.by > stream.length ? 1 : 0;
  const wanted = worker.found.map(() => wantedOf(items, seen));
  // With pieces in between, either peer may be first with a gossip message.
  const gossip = (accounts: readonly Account[]) =>
    accounts.flatMap(({ acks }) => acks.filter((ack) => ack.startsWith('gs'))).sort();
  mustEqual('gossip messages', gossip(worker.found), gossip(wanted));
  for (const [slot, found] of worker.found.entries()) {
    const others = ({ acks }: Account) => acks.filter((ack) => !ack.startsWith('gs'));
    mustEqual(`answers to peer ${slot}`, others(found), others(wanted[slot]));
    mustEqual(`pongs to peer ${slot}`, found.pongs, wanted[slot].pongs);
    mustEqual(`told of peer ${slot}`, withFirstGoodbye(found.told), withFirstGoodbye(wanted[slot].told));
    const goodbyes = found.told.filter(isGoodbye).length;
    must(goodbyes <= 1 + worker.deaths, () => `a peer's disconnect is told ${goodbyes} times`);
    const { violations } = wanted[slot];
    const isGivenUp = early === 1 && found.violations.length === violations.length - 1;
    mustEqual(`violations of peer ${slot}`, found.violations, isGivenUp ? violations.slice(0, -1) : violations);
  }
  note(Math.min(3, worker.deaths) * 4 + Math.min(3, worker.stage.errors.length));
  for (const [i, item] of items.entries()) note(100 + kindOf(items[i - 1]) * 10 + kindOf(item));
}

function isGoodbye(what: string): boolean {
  return what.startsWith('disconnect ');
}

/** Of several `disconnect` the first is the cause; a worker that replaces a dead one may tell another. */
function withFirstGoodbye(all: readonly string[]): readonly string[] {
  const first = all.findIndex(isGoodbye);
  return all.filter((what, i) => i <= first || !isGoodbye(what));
}

const KINDS = ['tx', 'mp', 'gs', 'ping', 'pong', 'disconnect', 'pex/peers'];

function kindOf(item: Item | undefined): number {
  if (item === undefined) return 0;
  if (item.kind !== 'frame') return 1;
  return 2 + KINDS.indexOf(item.type);
}

function frame(type: string, payload: string): string {
  const bytes = Buffer.from(type);
  const length = (2 + bytes.length + payload.length / 2).toString(16).padStart(8, '0');
  return `${length}${bytes.length.toString(16).padStart(4, '0')}${bytes.toString('hex')}${payload}`;
}

const frames = [
  ...['00', 'ee01', '0102030405'].map((payload) => frame('tx', payload)),
  ...['c0', '93010203', 'c1'].map((payload) => frame('mp', payload)),
  ...['01', '02', 'ee'].map((payload) => frame('gs', payload)),
  frame('ping', '0102030405060708'),
  frame('ping', '77'.repeat(70)),
  frame('pong', '0102030405060708'),
  frame('disconnect', '4449646c65'),
  frame('pex/peers', '7b7d'),
  frame('other', '00'),
];
const broken = ['00000000', '00000002 0000', '00000005 0004 616263', '00000005 0003 61 07 62'];

export const pipeline: Target = {
  name: 'pipeline',
  sources: ['src/workers/pipeline', 'src/workers/dispatcher', 'src/workers/frame-decoder', 'src/workers/gossip'],
  maxBytes: 1500,
  dictionary: [...text('tx', 'mp', 'gs', 'ping', 'pong'), ...hex('00a00001', ...frames, ...broken)],
  beginnings: hex(
    `00 00 ${frames.join('')}`,
    `09 02 20 90 ${frames.join('')} ${broken.join('')} ${frames.join('')}`,
    `06 00 ${frames[0].repeat(40)} ${frames[9]} ${frames[0].repeat(20)}`,
    `1b 01 30 04 ${frames.join('')} ${frame('tx', '00'.repeat(200))} ${frames.join('')}`,
    `08 00 ${frames[0].repeat(5)} ${frames[9]} ${frames[12]} 00a00001 ${frames[0]}`,
  ),
  run,
};
