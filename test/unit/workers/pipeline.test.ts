import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Handler, Message } from '../../../src/shared/handler.js';
import { Slot, SlotState, Worker } from '../../../src/shared/memory/arena-layout.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { ReadyQueue } from '../../../src/shared/memory/ready-queue.js';
import { TypeTable } from '../../../src/shared/memory/type-table.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Death, Stage } from './pipeline-stage.js';
import { openSlot } from './stage.js';

const number = (n: number, bytes = 4) => {
  const payload = Buffer.alloc(Math.max(4, bytes));
  payload.writeUInt32BE(n);
  return payload;
};
const seq = (n: number, bytes?: number) => encodeFrame('seq', number(n, bytes));
const echo: Handler = (message, context) => void context.reply('ack', message.payload.subarray(0, 4));

describe('a pipeline', () => {
  it('lets a closing connection have its last frames, then lets go of it', () => {
    const stage = new Stage({ seq: echo });
    stage.arrive(0, Buffer.concat([seq(1), seq(2), seq(3).subarray(0, 5)]));
    stage.setState(0, SlotState.Closing);
    stage.turns();
    const { frames, commands } = stage.out();
    expect(frames.map(([, , payload]) => payload.readUInt32BE(0))).toEqual([1, 2]);
    expect(commands).toEqual([[RecordKind.Released, 0, 0]]);
  });

  it('dispatches nothing more of an aborted one', () => {
    const stage = new Stage({ seq: echo });
    stage.arrive(0, seq(1));
    stage.setState(0, SlotState.Aborted);
    stage.turns();
    expect(stage.out()).toMatchObject({ frames: [], commands: [[RecordKind.Released, 0, 0]] });
  });

  it('obeys what was told before bytes came, also when they come in the middle of a turn', () => {
    let told = false;
    const handlers = {
      seq: () => {
        // While the turn is at the first connection, the main thread subscribes, and the second gets more.
        told = true;
        stage.arrive(1, encodeFrame('news', number(2)));
      },
    };
    const takeCommands = ({ registry }: Stage) => {
      if (told) registry.subscribe('news', true);
    };
    const stage: Stage = new Stage(handlers, { slots: 2, takeCommands });
    stage.arrive(0, seq(1));
    stage.arrive(1, encodeFrame('other', number(1)));
    stage.pipeline.turn();
    expect(told).toBe(true);
    expect(stage.out().commands.map(([kind, slot]) => [kind, slot])).toEqual([[RecordKind.Deliver, 1]]);
  });

  it('reads nothing behind a frame that is too large', () => {
    const stage = new Stage({ seq: echo });
    stage.arrive(0, Buffer.concat([seq(1), Buffer.from('00a00001', 'hex'), seq(2)]));
    stage.turns();
    stage.arrive(0, seq(3));
    stage.turns();
    const { frames, commands } = stage.out();
    expect(frames).toHaveLength(1);
    expect(commands).toEqual([[RecordKind.Violation, 0, 0x04]]);
  });

  it('reads nothing behind a frame that is too large after its worker was replaced, either', () => {
    const stage = new Stage({ seq: echo });
    stage.arrive(0, Buffer.from('00a00001', 'hex'));
    stage.turns();
    stage.takeOver();
    stage.arrive(0, seq(1));
    stage.turns();
    expect(stage.out()).toMatchObject({ frames: [], commands: [[RecordKind.Violation, 0, 0x04]] });
  });

  it('does not take a frame for the one before it, which was aside and deadly once, and ended where it begins', () => {
    const got: number[] = [];
    let deaths = 2;
    const handler: Handler = ({ payload }) => {
      got.push(payload.length);
      if (deaths > 0 && (got.length === 1 || payload.length === 4)) {
        deaths--;
        throw new Death();
      }
    };
    const stage = new Stage({ seq: handler });
    const large = seq(1, 8000);
    const arrive = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) {
        at += stage.arrive(0, bytes.subarray(at));
        if (at < bytes.length) stage.turns();
      }
    };
    arrive(large);
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver();
    stage.turns();
    arrive(seq(2));
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver(true);
    stage.turns();
    expect(got).toEqual([8000, 8000, 4, 4]);
    expect(stage.count('droppedPoisoned')).toBe(0);
  });

  it('leaves a slot alone that was given to another connection while its entry stood in the queue', () => {
    const stage = new Stage({ seq: echo });
    stage.arrive(0, seq(1));
    stage.setState(0, SlotState.Closing);
    stage.turns();
    // The main thread had queued it once more before it heard that it was let go of.
    stage.queue.push(0, 0);
    stage.rings[0] = openSlot(stage.arena, 0, 'newcomer');
    stage.queue.push(0, 0);
    const another = new ReadyQueue(stage.arena, 0);
    const taken: number[] = [];
    while (another.pop()) taken.push(another.generation);
    expect(taken).toEqual([2]);
    expect(stage.word(0, Slot.Queued)).toBe(0);
  });

  it('takes a thousand malformed frames as the first thing it ever sees', () => {
    const stage = new Stage({ seq: echo });
    const bad = encodeFrame('bad', Buffer.alloc(0));
    bad[6] = 0x0a;
    for (let i = 0; i < 10; i++) {
      stage.arrive(0, Buffer.concat(Array.from({ length: 100 }, () => bad)));
      stage.turns();
    }
    stage.arrive(0, seq(1));
    stage.turns();
    const { frames, commands } = stage.out();
    expect(commands).toHaveLength(1000);
    expect(frames).toHaveLength(1);
  });

  it('takes no connection to be more important than another', () => {
    const order: string[] = [];
    const stage = new Stage({ seq: (message) => void order.push(message.peerId) }, { slots: 2, ringBytes: 2 ** 20 });
    const flood = Buffer.concat(Array.from({ length: 2 ** 15 }, (_, i) => seq(i)));
    stage.arrive(0, flood);
    stage.arrive(1, seq(1));
    stage.turns();
    const at = order.indexOf('peer-1');
    // A share is 256 KiB, of frames of 13 bytes.
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan((256 * 1024) / 13 + 100);
    expect(order).toHaveLength(2 ** 15 + 1);
  });

  it('answers pings of everybody before the next slow handler, each once', () => {
    const done: string[] = [];
    const stage = new Stage(
      {
        seq: (message) => {
          stage.clock.ms += 50;
          done.push(`${message.peerId} ${message.payload.readUInt32BE(0)}`);
        },
      },
      { slots: 2 },
    );
    const ping = encodeFrame('ping', number(77, 8));
    stage.arrive(0, Buffer.concat([seq(0), seq(1), seq(2), ping, seq(3)]));
    stage.arrive(1, Buffer.concat([seq(0), seq(1), ping]));
    stage.pipeline.turn();
    const { frames } = stage.out();
    expect(done).toHaveLength(1);
    expect(frames.map(([slot, type]) => [slot, type])).toEqual([
      [1, 'pong'],
      [0, 'pong'],
    ]);
    stage.turns();
    expect(stage.out().frames).toEqual([]);
    expect(done).toHaveLength(6);
    const counted = new TypeTable(stage.arena, 0);
    expect(counted.received(counted.names().indexOf('ping'))).toBe(2);
  });

  it('ends a turn of slow handlers early, shows with each that it gets on, and goes on where it left off', () => {
    const served: string[] = [];
    const beats: number[] = [];
    const beat = () => stage.arena.words[stage.arena.layout.worker(0) + Worker.HeartbeatMs];
    const slow: Handler = ({ peerId }) => {
      beats.push(beat());
      stage.clock.ms += 200;
      served.push(peerId);
    };
    const stage = new Stage({ seq: slow }, { slots: 5 });
    for (let slot = 0; slot < 5; slot++) stage.arrive(slot, Buffer.concat([seq(0), seq(1)]));
    stage.pipeline.turn();
    expect(served).toEqual(['peer-0']);
    expect(stage.pipeline.hasWork).toBe(true);
    for (let turn = 1; turn < 10; turn++) stage.pipeline.turn();
    const names = ['peer-0', 'peer-1', 'peer-2', 'peer-3', 'peer-4'];
    expect(served).toEqual([...names, ...names]);
    expect(new Set(beats).size).toBe(beats.length);
  });

  it('has a frame in hand while its handler is called, and none while it waits for the rest of one', () => {
    const inHand = () => stage.arena.words[stage.arena.layout.worker(0) + Worker.InHand];
    const seen: number[] = [];
    const stage = new Stage({ seq: () => void seen.push(inHand()) }, { slots: 2 });
    const atClock: number[] = [];
    const nowMs = stage.clock.nowMs.bind(stage.clock);
    stage.clock.nowMs = () => {
      atClock.push(inHand());
      return nowMs();
    };
    // The first is not yet known as quick, and the last comes in a run of its like.
    for (let i = 0; i < 9; i++) stage.arrive(1, seq(i));
    stage.arrive(0, seq(9).subarray(0, 9));
    stage.turns();
    expect(seen).toEqual(new Array(9).fill(2));
    expect(new Set(atClock)).toEqual(new Set([0]));
  });

  describe('where a visit takes long', () => {
    /** Two peers with 40 messages and a ping each; `burns` says how long the handler of a message takes. */
    function rig(burns: (call: number) => number) {
      let call = 0;
      const handler: Handler = (message, context) => {
        stage.clock.ms += burns(call++);
        context.reply('ack', message.payload.subarray(0, 4));
      };
      const stage = new Stage({ seq: handler }, { slots: 2, ringBytes: 65_536 });
      const frames = Buffer.concat([
        ...Array.from({ length: 40 }, (_, i) => seq(i)),
        encodeFrame('ping', number(1, 8)),
      ]);
      /** Where in what goes out each peer's pong stands: how many answers to that peer went before it. */
      const round = () => {
        for (const slot of [0, 1]) stage.arrive(slot, frames);
        stage.turns();
        const out = stage.out().frames;
        return [0, 1].map((slot) => out.filter(([to]) => to === slot).findIndex(([, type]) => type === 'pong'));
      };
      return round;
    }

    it('once, it is for want of a core: nobody looks ahead', () => {
      const round = rig((call) => (call === 100 ? 20 : 0));
      for (let i = 0; i < 4; i++) expect(round()).toEqual([40, 40]);
    });

    it('again and again, handlers are slow: pings do not wait for them', () => {
      const round = rig((call) => (call >= 80 ? 20 : 0));
      expect(round()).toEqual([40, 40]);
      for (const before of round()) expect(before).toBeLessThan(40);
    });

    it('because of one type behind quick ones, that type is found out', () => {
      const types = ['seq', 'seq', 'seq', 'other'];
      let slow = false;
      const stage = new Stage(
        {
          seq: () => undefined,
          other: () => {
            stage.clock.ms += slow ? 20 : 0;
          },
        },
        { slots: 2, ringBytes: 65_536 },
      );
      const frames = Buffer.concat(Array.from({ length: 80 }, (_, i) => encodeFrame(types[i % 4], number(i))));
      stage.arrive(0, frames);
      stage.turns();
      slow = true;
      stage.arrive(0, frames);
      stage.arrive(1, Buffer.concat([frames, encodeFrame('ping', number(1, 8))]));
      const startMs = stage.clock.ms;
      let pongAfterMs = 0;
      for (let turn = 0; turn < 100 && pongAfterMs === 0; turn++) {
        stage.pipeline.turn();
        if (stage.out().frames.some(([, type]) => type === 'pong')) pongAfterMs = stage.clock.ms - startMs;
      }
      // 40 slow messages are waiting, 800 ms of work.
      expect(pongAfterMs).toBeGreaterThan(0);
      expect(pongAfterMs).toBeLessThan(400);
    });
  });

  it('asks to read on when half of a ring is free again', () => {
    const stage = new Stage({ seq: echo });
    const block = Buffer.concat(Array.from({ length: 400 }, (_, i) => seq(i)));
    stage.arrive(0, block.subarray(0, 3500));
    expect(stage.rings[0].pause()).toBe(true);
    stage.turns();
    expect(stage.out().commands).toEqual([[RecordKind.Resume, 0, 0]]);
    expect(stage.rings[0].pause()).toBe(false);
  });

  it('that dies anywhere loses nothing and does at most the frame in hand twice', () => {
    const sizes = fc.constantFrom(4, 20, 300, 1900, 2100, 5000, 9000);
    const plan = fc.record({
      frames: fc.array(fc.tuple(fc.nat(2), sizes), { minLength: 1, maxLength: 60 }),
      deaths: fc.array(fc.tuple(fc.nat(70), fc.boolean()), { maxLength: 6 }),
      pieces: fc.array(fc.integer({ min: 150, max: 3000 }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(plan, ({ frames, deaths, pieces }) => {
        let calls = 0;
        const dieBefore = new Set(deaths.filter(([, after]) => !after).map(([call]) => call));
        const dieAfter = new Set(deaths.filter(([, after]) => after).map(([call]) => call));
        const stage = new Stage(
          {
            seq: (message, context) => {
              const call = calls++;
              if (dieBefore.has(call)) throw new Death();
              context.reply('ack', message.payload.subarray(0, 4));
              if (dieAfter.has(call)) throw new Death();
            },
          },
          { slots: 3 },
        );
        const sent: number[][] = [[], [], []];
        const bytes: Buffer[][] = [[], [], []];
        for (const [slot, size] of frames) {
          bytes[slot].push(seq(sent[slot].length, size));
          sent[slot].push(sent[slot].length);
        }
        const streams = bytes.map((list) => Buffer.concat(list));
        const fed = [0, 0, 0];
        const acks: number[][] = [[], [], []];
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
          for (const [slot, type, payload] of stage.out().frames)
            if (type === 'ack') acks[slot].push(payload.readUInt32BE(0));
          if (fed.every((done, slot) => done === streams[slot].length) && !stage.pipeline.hasWork) break;
        }
        const died = [...dieBefore, ...dieAfter].filter((call) => call < calls).length;
        // What a frame in hand had sent dies with it, so every answer comes exactly once, in order.
        expect(acks).toEqual(sent);
        expect(calls - frames.length).toBeLessThanOrEqual(died);
      }),
      { numRuns: 300 },
    );
  });

  it('that dies while it tells of a dropped frame tells of it all the same, once, and skips the rest of it', () => {
    // Short of a type, of a type that is none, and such that it is found only once the frame lies aside.
    const malformed = [Buffer.from('00000000', 'hex'), Buffer.from('000000020000', 'hex'), badType(40), badType(2100)];
    const items = fc.array(fc.tuple(fc.boolean(), fc.nat(malformed.length - 1)), { minLength: 150, maxLength: 300 });
    const pieces = fc.array(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 20 });
    let deaths = 0;
    let asideDeaths = 0;
    fc.assert(
      fc.property(items, pieces, (items, pieces) => {
        const got: number[] = [];
        const onFull = ({ arena }: Stage) => {
          deaths++;
          if (arena.words[arena.layout.slot(0) + Slot.AsideId] !== 0) asideDeaths++;
          throw new Death();
        };
        const seqs = (message: Message) => void got.push(message.payload.readUInt32BE(0));
        const stage = new Stage({ seq: seqs }, { outboundBytes: 1024, onFull });
        const dropped = items.filter(([isDropped]) => isDropped).length;
        let sent = 0;
        const stream = Buffer.concat(items.map(([isDropped, which]) => (isDropped ? malformed[which]! : seq(sent++))));
        let told = 0;
        const hear = () => {
          told += stage.out().commands.filter(([kind]) => kind === RecordKind.Violation).length;
        };
        let fed = 0;
        for (let step = 0; fed < stream.length || stage.pipeline.hasWork; step++) {
          fed += stage.arrive(0, stream.subarray(fed, fed + pieces[step % pieces.length]!));
          try {
            stage.turns();
          } catch (error) {
            if (!(error instanceof Death)) throw error;
            stage.takeOver();
            hear();
          }
        }
        hear();
        expect(told).toBe(dropped);
        expect(got).toEqual(Array.from({ length: sent }, (_, i) => i));
      }),
      { numRuns: 400 },
    );
    expect(deaths).toBeGreaterThan(400);
    expect(asideDeaths).toBeGreaterThan(0);
  });
});

/** A frame whose type is a control character. */
function badType(payloadBytes: number): Buffer {
  return encodeFrame('?', Buffer.alloc(payloadBytes)).fill(1, 6, 7);
}
