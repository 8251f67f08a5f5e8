import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Handler, HandlerContext } from '../../../src/shared/handler.js';
import { Slot, Worker } from '../../../src/shared/memory/arena-layout.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { SEEN_MS } from '../../../src/shared/memory/seen-table.js';
import { TypeTable } from '../../../src/shared/memory/type-table.js';
import { completePolicy, type PolicyDeclaration } from '../../../src/shared/policy.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { encodeValue } from '../../../src/shared/wire/msgpack.js';
import { Death, Stage, type StageOptions } from './pipeline-stage.js';

interface Relayed {
  readonly origin: string;
  readonly fanout: number;
  readonly type: string;
  readonly text: string;
}

interface Record {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly data: Buffer;
}

/** Everything published; parts of large records are joined. */
function records(stage: Stage): Record[] {
  const all: Record[] = [];
  let parts: Buffer[] = [];
  const { reader, arena } = stage;
  while (reader.next()) {
    const { kind, a, b, dataOffset, dataBytes, whole } = reader;
    parts.push(Buffer.from(arena.bytes.slice(dataOffset, dataOffset + dataBytes)));
    const data = Buffer.concat(parts);
    if (data.length < whole) continue;
    parts = [];
    all.push({ kind, a, b, data });
  }
  reader.release();
  return all;
}

function relaysIn(list: readonly Record[]): Relayed[] {
  return list
    .filter(({ kind }) => kind === RecordKind.Relay)
    .flatMap(({ b, data }) => {
      const found: Relayed[] = [];
      const origin = data.toString('utf8', 0, 32).replaceAll('\0', '');
      for (let at = 32; at < data.length; ) {
        const end = at + 4 + data.readUInt32BE(at);
        const typeEnd = at + 6 + data.readUInt16BE(at + 4);
        const [type, text] = [data.toString('utf8', at + 6, typeEnd), data.toString('utf8', typeEnd, end)];
        found.push({ origin, fanout: b, type, text });
        at = end;
      }
      return found;
    });
}

const relays = (stage: Stage) => relaysIn(records(stage));
const tx = (text: string) => encodeFrame('tx', Buffer.from(text));
const nothing: Handler = () => undefined;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A stage whose type `tx` is gossip with this handler; everything handled is listed. */
function gossip(handler: Handler = nothing, policy: PolicyDeclaration = {}, options: StageOptions = {}) {
  const handled: string[] = [];
  const listed: Handler = (message, context) => {
    handled.push(`${message.peerId} ${message.payload}`);
    return handler(message, context);
  };
  const stage = new Stage({ tx: { handler: listed, gossip: true, ...policy } }, { slots: 3, ...options });
  return { stage, handled };
}

function received(stage: Stage, type: string): number {
  const table = new TypeTable(stage.arena, 0);
  return table.received(table.names().indexOf(type));
}

describe('a message of a gossip type', () => {
  it('goes to its handler and then to others, but not to its sender; copies of it go nowhere', () => {
    const { stage, handled } = gossip(nothing, { fanout: 8 });
    stage.arrive(0, Buffer.concat([tx('a'), tx('b')]));
    stage.turns();
    stage.arrive(1, Buffer.concat([tx('b'), tx('c'), tx('a')]));
    stage.arrive(0, tx('a'));
    stage.turns();
    expect(handled).toEqual(['peer-0 a', 'peer-0 b', 'peer-1 c']);
    expect(relays(stage)).toEqual([
      { origin: 'peer-0', fanout: 8, type: 'tx', text: 'a' },
      { origin: 'peer-0', fanout: 8, type: 'tx', text: 'b' },
      { origin: 'peer-1', fanout: 8, type: 'tx', text: 'c' },
    ]);
    expect(stage.count('gossipDuplicates')).toBe(3);
    expect(received(stage, 'tx')).toBe(6);
    expect(stage.count('messagesReceived')).toBe(6);
  });

  it('shares a record with others that came from the same peer', () => {
    const { stage } = gossip();
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.arrive(1, tx('d'));
    stage.turns();
    expect(records(stage).map(({ kind, a, b }) => [kind, a, b])).toEqual([
      [RecordKind.Relay, 1, 0],
      [RecordKind.Relay, 1, 0],
    ]);
  });

  it('is new again after five minutes', () => {
    const { stage, handled } = gossip();
    stage.arrive(0, tx('a'));
    stage.turns();
    stage.clock.ms += SEEN_MS - 10;
    stage.arrive(1, tx('a'));
    stage.turns();
    stage.clock.ms += 20;
    stage.arrive(2, tx('a'));
    stage.turns();
    expect(handled).toEqual(['peer-0 a', 'peer-2 a']);
  });

  it('without a handler is passed on at once, and is not unhandled', () => {
    const stage = new Stage({}, { slots: 2, relay: [{ type: 'block', fanout: 'all' }] });
    stage.arrive(0, encodeFrame('block', Buffer.from('one')));
    stage.arrive(1, encodeFrame('block', Buffer.from('one')));
    stage.turns();
    expect(relays(stage)).toEqual([{ origin: 'peer-0', fanout: 0, type: 'block', text: 'one' }]);
    expect([stage.count('unhandled'), stage.count('gossipDuplicates')]).toEqual([0, 1]);
  });

  it('reaches subscribers once', () => {
    const { stage } = gossip(nothing, {}, { subscriptions: ['tx'] });
    for (const slot of [0, 1, 2]) stage.arrive(slot, tx('a'));
    stage.turns();
    expect(records(stage).map(({ kind }) => kind)).toEqual([RecordKind.Deliver, RecordKind.Relay]);
  });

  it('is not passed on if its handler throws or penalises it, nor is a copy', () => {
    const { stage, handled } = gossip((message, context) => {
      if (message.payload.toString() === 'thrown') throw new Error('no');
      if (message.payload.toString() === 'bad') context.penalize('double spend\u202e\n');
    });
    for (const slot of [1, 2]) stage.arrive(slot, Buffer.concat([tx('thrown'), tx('bad'), tx('good')]));
    stage.turns();
    const all = records(stage);
    expect(relaysIn(all).map(({ text }) => text)).toEqual(['good']);
    expect(all.filter(({ kind }) => kind === RecordKind.Penalize)).toMatchObject([
      { a: 1, data: Buffer.from('double spend\u202e\n') },
    ]);
    expect(handled).toHaveLength(3);
    expect(stage.errors).toHaveLength(1);
  });

  it('cuts a reason to what is kept of one, on a character', () => {
    const { stage } = gossip((_, context) => context.penalize(`${'x'.repeat(126)}€`));
    stage.arrive(0, tx('a'));
    stage.turns();
    expect(records(stage)[0].data.toString()).toBe('x'.repeat(126));
  });

  it('that its handler passes on itself is not passed on twice', () => {
    const told: boolean[] = [];
    const { stage } = gossip((message, context) => {
      told.push(context.relay(), context.relay());
      context.reply('ack', message.payload);
      context.penalize('too late');
    });
    stage.arrive(0, tx('a'));
    stage.turns();
    expect(told).toEqual([true, false]);
    expect(records(stage).map(({ kind }) => kind)).toEqual([RecordKind.Relay, RecordKind.Send, RecordKind.Penalize]);
  });

  it('can be passed on by an inline handler only before it returns: the context is another message’s then', () => {
    let kept: HandlerContext | undefined;
    const { stage } = gossip((_, context) => {
      kept = context;
    });
    stage.arrive(0, tx('a'));
    stage.turns();
    expect(() => kept!.relay()).toThrow(/no longer in hand/);
    expect(() => kept!.penalize('x')).toThrow(/no longer in hand/);
    expect(relays(stage)).toHaveLength(1);
  });

  it('of any size is passed on whole: wrapped, aside, and in parts', () => {
    const { stage } = gossip(nothing, {}, { ringBytes: 2048, outboundBytes: 8192, onFull: () => undefined });
    const texts = [...Array.from({ length: 20 }, (_, i) => `${i}`.repeat(300)), 'x'.repeat(7000), 'y'];
    const got: string[] = [];
    let bytes = Buffer.concat(texts.map(tx));
    while (bytes.length > 0 || stage.pipeline.hasWork) {
      bytes = bytes.subarray(stage.arrive(0, bytes));
      stage.turns();
      for (const { text } of relays(stage)) got.push(text);
    }
    expect(got).toEqual(texts);
  });

  it('that does not decode is a fault each time it comes', () => {
    const { stage } = gossip(nothing, { codec: 'msgpack' });
    for (const slot of [0, 1]) {
      stage.arrive(
        slot,
        Buffer.concat([encodeFrame('tx', Buffer.from([0xc1])), encodeFrame('tx', encodeValue([slot]))]),
      );
    }
    stage.turns();
    expect([stage.count('droppedInvalid'), stage.count('gossipDuplicates')]).toEqual([2, 0]);
    expect(relays(stage)).toHaveLength(2);
    expect(stage.arena.words[stage.arena.layout.worker(0) + Worker.SeenHeld]).toBe(0);
  });

  it('that we broadcast ourselves is a duplicate when it comes back', () => {
    const stage = new Stage(
      { tx: { handler: nothing, gossip: true }, start: (_, context) => context.broadcast('tx', Buffer.from('mine')) },
      { slots: 2 },
    );
    stage.arrive(0, Buffer.concat([encodeFrame('start', Buffer.alloc(0)), encodeFrame('start', Buffer.alloc(0))]));
    stage.turns();
    stage.arrive(1, tx('mine'));
    stage.turns();
    const kinds = records(stage).map(({ kind }) => kind);
    // The second broadcast joins the first: what is sent on purpose is sent again.
    expect(kinds).toEqual([RecordKind.Broadcast]);
    expect(stage.count('gossipDuplicates')).toBe(1);
  });
});

describe('a message of any type', () => {
  it('can be passed on by its handler, once, whoever sends it', () => {
    const told: boolean[] = [];
    const stage = new Stage({ tx: (_, context) => void told.push(context.relay()) }, { slots: 2 });
    stage.arrive(0, Buffer.concat([tx('a'), tx('a')]));
    stage.arrive(1, Buffer.concat([tx('a'), tx('b')]));
    stage.turns();
    expect(told).toEqual([true, false, false, true]);
    expect(relays(stage).map(({ origin, text }) => `${origin} ${text}`)).toEqual(['peer-0 a', 'peer-1 b']);
    expect(stage.count('gossipDuplicates')).toBe(0);
  });

  it('is passed on by a queued handler after it has waited, out of its own copy', async () => {
    const told: boolean[] = [];
    const stage = new Stage(
      {
        tx: {
          concurrency: 4,
          handler: async (message, context) => {
            const text = message.payload.toString();
            await settled();
            if (text === 'bad') context.penalize('bad');
            told.push(context.relay(), context.relay());
          },
        },
      },
      { slots: 2 },
    );
    stage.arrive(0, Buffer.concat([tx('a'), tx('bad'), tx('a')]));
    stage.turns();
    stage.arrive(0, Buffer.concat(Array.from({ length: 400 }, () => encodeFrame('x', Buffer.alloc(2, 0xff)))));
    stage.turns();
    await settled();
    await settled();
    stage.pipeline.flush();
    expect(told).toEqual([true, false, false, false, false, false]);
    expect(relays(stage).map(({ text }) => text)).toEqual(['a']);
    expect(stage.arena.words[stage.arena.layout.worker(0) + Worker.SeenHeld]).toBe(0);
  });
});

describe('a message of a queued gossip type', () => {
  /** A queued handler whose messages end when told. */
  function held(policy: PolicyDeclaration = {}) {
    const ends: { text: string; end: (error?: Error) => void }[] = [];
    const handler: Handler = (message) =>
      new Promise<void>((resolve, reject) => {
        ends.push({ text: message.payload.toString(), end: (error) => (error ? reject(error) : resolve()) });
      });
    return { ends, ...gossip(handler, { mode: 'queued', ...policy }) };
  }

  it('is passed on when its handler is through, and not if that fails', async () => {
    const { stage, ends } = held({ concurrency: 3 });
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.arrive(1, tx('a'));
    stage.turns();
    expect(relays(stage)).toEqual([]);
    ends[1].end();
    ends[0].end(new Error('no'));
    await settled();
    stage.pipeline.flush();
    expect(relays(stage).map(({ text }) => text)).toEqual(['b']);
    expect(stage.count('gossipDuplicates')).toBe(1);
    expect(stage.arena.words[stage.arena.layout.worker(0) + Worker.SeenHeld]).toBe(1);
  });

  it('waits in its ring while the queue is full, but its duplicates go their way', async () => {
    const { stage, ends, handled } = held({ queueLength: 1 });
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.turns();
    stage.arrive(1, Buffer.concat([tx('a'), tx('b'), encodeFrame('more', Buffer.alloc(0)), tx('c'), tx('d')]));
    stage.turns();
    // Behind duplicates of what is taken; `c` waits in both rings.
    expect(received(stage, 'more')).toBe(1);
    expect(stage.pipeline.hasWaiting).toBe(true);
    for (let i = 0; i < 4; i++) {
      ends.at(i)!.end();
      await settled();
      stage.turns();
    }
    expect(handled.map((line) => line.slice(-1))).toEqual(['a', 'b', 'c', 'd']);
    expect(handled).toHaveLength(4);
    expect(stage.count('gossipDuplicates')).toBe(3);
    expect(relays(stage).map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('that waits while its type ceases to be passed on does not lend its hash to the next', async () => {
    const { stage, ends, handled } = held({ queueLength: 1, gossip: false });
    stage.registry.relay([{ type: 'tx', fanout: 'all' }]);
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.turns();
    stage.registry.relay([]);
    for (let i = 0; i < 2; i++) {
      ends.at(i)!.end();
      await settled();
      stage.turns();
    }
    stage.registry.relay([{ type: 'tx', fanout: 'all' }]);
    // Handled the plain way, `c` is new as gossip; and so is `d`, once.
    stage.arrive(0, tx('d'));
    stage.arrive(1, tx('d'));
    stage.turns();
    for (let i = 2; i < ends.length; i++) {
      ends.at(i)!.end();
      await settled();
      stage.turns();
    }
    expect(handled.map((line) => line.slice(-1))).toEqual(['a', 'b', 'c', 'd']);
    expect(stage.count('gossipDuplicates')).toBe(1);
  });

  it.each(['drop-new', 'drop-old'] as const)(
    'that is dropped by a full queue (%s) is new when it comes again',
    async (overflow) => {
      const { stage, ends, handled } = held({ queueLength: 1, overflow });
      stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
      stage.turns();
      const dropped = overflow === 'drop-new' ? 'c' : 'b';
      for (let i = 0; i < 2; i++) {
        ends.at(-1)!.end();
        await settled();
      }
      stage.arrive(1, Buffer.concat([tx('a'), tx(dropped)]));
      stage.turns();
      expect(handled.at(-1)).toBe(`peer-1 ${dropped}`);
      expect([stage.count('queueDropped'), stage.count('gossipDuplicates')]).toEqual([1, 1]);
    },
  );

  it('that is given up because it brought its worker down twice stays remembered', () => {
    const { stage, handled } = held();
    stage.arrive(0, tx('a'));
    stage.turns();
    stage.takeOver();
    expect(stage.takeOver().poisoned).toHaveLength(1);
    stage.arrive(1, tx('a'));
    stage.turns();
    expect([handled, stage.count('gossipDuplicates')]).toEqual([['peer-0 a', 'peer-0 a'], 1]);
  });

  it('outlives its worker: copies of it are still duplicates, and it is passed on once', async () => {
    const { stage, ends, handled } = held();
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.turns();
    ends[0].end();
    await settled();
    stage.pipeline.flush();
    stage.takeOver();
    stage.arrive(1, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    stage.turns();
    for (let i = 1; i < 4; i++) {
      ends.at(-1)!.end();
      await settled();
    }
    stage.pipeline.flush();
    expect(relays(stage).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect(stage.count('gossipDuplicates')).toBe(3);
    expect(handled).toEqual(['peer-0 a', 'peer-0 b', 'peer-0 b', 'peer-0 c']);
  });
});

describe('a worker that dies over gossip', () => {
  it('leaves the frame in hand as new, and as a duplicate what was done', () => {
    let deaths = 1;
    const { stage, handled } = gossip((message) => {
      if (message.payload.toString() === 'b' && deaths-- > 0) throw new Death();
    });
    stage.arrive(0, Buffer.concat([tx('a'), tx('b'), tx('c')]));
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver();
    stage.arrive(1, Buffer.concat([tx('a'), tx('b')]));
    stage.turns();
    expect(handled).toEqual(['peer-0 a', 'peer-0 b', 'peer-0 b', 'peer-0 c']);
    expect(relays(stage).map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  });

  it('lets a handler pass the frame in hand on again', () => {
    let deaths = 1;
    const told: boolean[] = [];
    const stage = new Stage({
      tx: (_, context) => {
        told.push(context.relay());
        if (deaths-- > 0) throw new Death();
      },
    });
    stage.arrive(0, tx('a'));
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver();
    stage.turns();
    expect(told).toEqual([true, true]);
    expect(relays(stage)).toHaveLength(1);
  });

  it('twice has that message skipped, and from then on copies of it are duplicates', () => {
    const { stage, handled } = gossip((message) => {
      if (message.payload.toString() === 'poison') throw new Death();
    });
    stage.arrive(0, Buffer.concat([tx('poison'), tx('a')]));
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver(true);
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver(true);
    stage.turns();
    stage.arrive(1, tx('poison'));
    stage.turns();
    expect(handled).toEqual(['peer-0 poison', 'peer-0 poison', 'peer-0 a']);
    expect([stage.count('droppedPoisoned'), stage.count('gossipDuplicates')]).toEqual([1, 1]);
    expect(stage.word(1, Slot.FramesDropped + 1)).toBe(0);
  });

  it('anywhere, any number of times, still passes every message on exactly once', () => {
    const sizes = fc.constantFrom(4, 20, 300, 1900, 2100, 5000, 9000);
    const plan = fc.record({
      messages: fc.array(sizes, { minLength: 1, maxLength: 20 }),
      copies: fc.array(fc.tuple(fc.nat(2), fc.nat(19)), { minLength: 1, maxLength: 60 }),
      deaths: fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 6 }),
      pieces: fc.array(fc.integer({ min: 150, max: 3000 }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(plan, ({ messages, copies, deaths, pieces }) => {
        let calls = 0;
        const dieBefore = new Set(deaths.filter(([, after]) => !after).map(([call]) => call));
        const dieAfter = new Set(deaths.filter(([, after]) => after).map(([call]) => call));
        const { stage } = gossip((_, context) => {
          const call = calls++;
          if (dieBefore.has(call)) throw new Death();
          if (call % 3 === 0) context.relay();
          if (dieAfter.has(call)) throw new Death();
        });
        const wanted = new Set<string>();
        const bytes: Buffer[][] = [[], [], []];
        for (const [slot, pick] of copies) {
          const n = pick % messages.length;
          const text = `${n} ${'x'.repeat(messages[n])}`;
          wanted.add(text);
          bytes[slot].push(tx(text));
        }
        const streams = bytes.map((list) => Buffer.concat(list));
        const fed = [0, 0, 0];
        const passedOn: string[] = [];
        for (let step = 0; step < 2000; step++) {
          for (const [slot, stream] of streams.entries()) {
            const piece = stream.subarray(fed[slot], fed[slot] + pieces[(step + slot) % pieces.length]);
            if (piece.length > 0) fed[slot] += stage.arrive(slot, piece);
          }
          try {
            stage.turns();
          } catch (error) {
            if (!(error instanceof Death)) throw error;
            stage.takeOver();
          }
          for (const { text } of relays(stage)) passedOn.push(text);
          if (fed.every((done, slot) => done === streams[slot].length) && !stage.pipeline.hasWork) break;
        }
        const died = [...dieBefore, ...dieAfter].filter((call) => call < calls).length;
        expect(passedOn.toSorted()).toEqual([...wanted].toSorted());
        expect(calls - wanted.size).toBeLessThanOrEqual(died);
        expect(stage.count('gossipDuplicates')).toBeGreaterThanOrEqual(0);
        expect(stage.arena.words[stage.arena.layout.worker(0) + Worker.SeenHeld]).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what is passed on', () => {
  const policyOf = (stage: Stage, type: string) => stage.registry.policies()[type];

  it('is what handlers declare, and above that what the operator says', () => {
    const stage = new Stage(
      { tx: { handler: nothing, gossip: true, fanout: 4 }, block: { handler: async () => undefined, fanout: 8 } },
      {
        relay: [
          { type: 'block', fanout: 2 },
          { type: 'vote', fanout: 'all' },
        ],
      },
    );
    expect(policyOf(stage, 'tx')).toMatchObject({ gossip: true, fanout: 4, mode: 'inline' });
    expect(policyOf(stage, 'block')).toMatchObject({ gossip: true, fanout: 2, mode: 'queued' });
    expect(policyOf(stage, 'vote')).toMatchObject({ gossip: true, fanout: 'all', mode: 'inline' });
  });

  it('is nothing unless somebody says so', () => {
    expect(completePolicy('tx', {}, 'inline')).toMatchObject({ gossip: false, fanout: 'all' });
  });

  it.each([{ gossip: 1 }, { fanout: 0 }, { fanout: 1.5 }, { fanout: 'most' }, { fanout: 10_001 }])(
    'can not be declared as %j',
    (wrong) => {
      const declare = () => completePolicy('tx', wrong as PolicyDeclaration, 'inline');
      expect(declare).toThrow(new RegExp(`policy of 'tx': ${Object.keys(wrong)[0]} is`));
    },
  );

  it('never includes the protocol’s own types', () => {
    for (const type of ['ping', 'pong', 'disconnect', 'pex/peers']) {
      expect(() => new Stage({}, { relay: [{ type, fanout: 'all' }] })).toThrow(/belongs to the protocol/);
      expect(() => new Stage({ [type]: nothing })).toThrow(/belongs to the protocol/);
    }
  });
});

describe('a peer exchange message', () => {
  it('goes to the main thread as a record of its own, no longer than one that is read can be', () => {
    const stage = new Stage({});
    stage.arrive(0, encodeFrame('pex/peers', Buffer.from('{"peers":[]}')));
    stage.turns();
    expect(records(stage)).toMatchObject([{ kind: RecordKind.Pex, a: 0, data: Buffer.from('{"peers":[]}') }]);
    expect(stage.count('unhandled')).toBe(0);
  });
});
