import { describe, expect, it } from 'vitest';
import { QUEUED_UNIT_BYTES, Slot, SlotState } from '../../../src/shared/memory/arena-layout.js';
import { Claim } from '../../../src/shared/memory/memory-budget.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Stage } from './pipeline-stage.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const large = encodeFrame('block', Buffer.alloc(200 * KIB, 7));

/** Takes all that inbound frames may have of the budget. @returns gives back so many bytes */
function exhaust(stage: Stage): (bytes: number) => void {
  while (stage.budget.reserve(64 * KIB, Claim.Inbound));
  while (stage.budget.reserve(KIB, Claim.Inbound));
  return (bytes) => stage.budget.release(bytes);
}

/** Lets waiting connections try again, as the worker does now and then. */
function retry(stage: Stage): void {
  stage.pipeline.retryWaiting();
  stage.turns();
}

describe('a connection that finds no memory', () => {
  it('says since when it starves, until it gets on', () => {
    const got: number[] = [];
    const stage = new Stage({ block: ({ payloadBytes }) => void got.push(payloadBytes) });
    const release = exhaust(stage);
    stage.arrive(0, large.subarray(0, 4000));
    stage.turns();
    expect(stage.word(0, Slot.StarvedSinceMs)).toBe(1001);
    stage.clock.ms += 500;
    retry(stage);
    expect(stage.word(0, Slot.StarvedSinceMs)).toBe(1001);
    release(512 * KIB);
    retry(stage);
    expect(stage.word(0, Slot.StarvedSinceMs)).toBe(0);
    for (let at = 4000; at < large.length; ) {
      at += stage.arrive(0, large.subarray(at));
      stage.turns();
    }
    expect(got).toEqual([200 * KIB]);
  });

  it('starves no longer once it is let go of', () => {
    const stage = new Stage({ block: () => undefined });
    exhaust(stage);
    stage.arrive(0, large.subarray(0, 4000));
    stage.turns();
    expect(stage.word(0, Slot.StarvedSinceMs)).not.toBe(0);
    stage.setState(0, SlotState.Aborted);
    stage.turns();
    expect(stage.out().commands).toEqual([[RecordKind.Released, 0, 0]]);
    expect(stage.word(0, Slot.StarvedSinceMs)).toBe(0);
  });

  it('lets go of its slot when it closes in the middle of a frame, though the memory never comes', () => {
    const stage = new Stage({ block: () => undefined });
    exhaust(stage);
    stage.arrive(0, large.subarray(0, 4000));
    stage.turns();
    stage.setState(0, SlotState.Closing);
    stage.turns();
    expect(stage.out().commands).toEqual([[RecordKind.Released, 0, 0]]);
    retry(stage);
    expect(stage.pipeline.hasWaiting).toBe(false);
  });

  it('lets go also when it closes in the middle of a frame that is aside in part', () => {
    const stage = new Stage({ block: () => undefined });
    const baseBytes = stage.budget.usedBytes;
    stage.arrive(0, large.subarray(0, 4000));
    stage.turns();
    expect(stage.word(0, Slot.AsideBytes)).toBe(64 * KIB);
    exhaust(stage);
    for (let at = 4000; at < 66 * KIB; at += stage.arrive(0, large.subarray(at, 66 * KIB))) stage.turns();
    stage.turns();
    expect(stage.word(0, Slot.StarvedSinceMs)).not.toBe(0);
    stage.setState(0, SlotState.Closing);
    stage.turns();
    expect(stage.out().commands.at(-1)).toEqual([RecordKind.Released, 0, 0]);
    expect(stage.budget.usedBytes).toBeGreaterThan(baseBytes);
  });

  it('that closes behind a whole frame waits for memory, and the frame is dispatched', () => {
    const got: number[] = [];
    const stage = new Stage({ block: ({ payloadBytes }) => void got.push(payloadBytes) });
    // So far into the ring that a frame larger than half of it wraps: only aside is there a place for it.
    stage.arrive(0, encodeFrame('block', Buffer.alloc(1500)));
    stage.turns();
    const release = exhaust(stage);
    const frame = encodeFrame('block', Buffer.alloc(3000));
    expect(stage.arrive(0, frame)).toBe(frame.length);
    stage.setState(0, SlotState.Closing);
    stage.turns();
    expect(stage.out().commands).toEqual([]);
    release(64 * KIB);
    retry(stage);
    expect(got).toEqual([1500, 3000]);
    expect(stage.out().commands).toEqual([[RecordKind.Released, 0, 0]]);
  });

  it('says so for a queued handler as well, but not for a queue that is only full', async () => {
    const ends: (() => void)[] = [];
    const handler = () => new Promise<void>((resolve) => ends.push(resolve));
    const slowly = { mode: 'queued', concurrency: 1, queueLength: 1, overflow: 'back-pressure', handler } as const;
    const stage = new Stage({ slow: slowly }, { ringBytes: 4 * MIB });
    // So large that each copy takes memory of its own.
    const bytes = 600_001;
    const units = Math.ceil(bytes / QUEUED_UNIT_BYTES);
    const slow = encodeFrame('slow', Buffer.alloc(bytes));
    stage.arrive(0, Buffer.concat([slow, slow, slow]));
    stage.turns();
    expect([stage.pipeline.hasWaiting, stage.word(0, Slot.StarvedSinceMs)]).toEqual([true, 0]);
    expect(stage.word(0, Slot.QueuedUnits)).toBe(2 * units);
    exhaust(stage);
    ends.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
    // What the first has given back, another takes at once.
    exhaust(stage);
    stage.turns();
    expect(stage.word(0, Slot.StarvedSinceMs)).not.toBe(0);
    expect(stage.word(0, Slot.QueuedUnits)).toBe(units);
  });

  it('counts what it has in handler queues beyond 2 GiB, and takes off what it has added', async () => {
    const ends: (() => void)[] = [];
    const handler = () => new Promise<void>((resolve) => ends.push(resolve));
    const stage = new Stage({ slow: { mode: 'queued', concurrency: 3, handler } });
    const others = 2 ** 31 / QUEUED_UNIT_BYTES;
    stage.arena.words[stage.arena.layout.slot(0) + Slot.QueuedUnits] = others;
    stage.arrive(0, Buffer.concat([0, 1, 100].map((bytes) => encodeFrame('slow', Buffer.alloc(bytes)))));
    stage.turns();
    expect(stage.word(0, Slot.QueuedUnits)).toBe(others + 3);
    for (const end of ends) end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(stage.word(0, Slot.QueuedUnits)).toBe(others);
  });
});

describe('connections that wait for one place', () => {
  it('get it in turn, not always the same', async () => {
    const served: string[] = [];
    const ends: (() => void)[] = [];
    const handler = ({ peerId }: { peerId: string }) => {
      served.push(peerId);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const policy = { mode: 'queued', concurrency: 1, queueLength: 1, overflow: 'back-pressure' } as const;
    const stage = new Stage({ slow: { ...policy, handler } }, { slots: 3 });
    const slow = encodeFrame('slow', Buffer.alloc(10));
    for (const slot of [0, 1, 2]) stage.arrive(slot, Buffer.concat(Array.from({ length: 20 }, () => slow)));
    stage.turns();
    for (let i = 0; i < 24; i++) {
      ends.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
      stage.turns();
    }
    for (const peer of ['peer-0', 'peer-1', 'peer-2']) {
      expect(served.filter((id) => id === peer).length).toBeGreaterThanOrEqual(6);
    }
  });
});

describe('replies while memory is short', () => {
  it('are refused to their handler and counted, but pings are answered', () => {
    const told: boolean[] = [];
    const stage = new Stage({ ask: (message, context) => void told.push(context.reply('answer', message.payload)) });
    const ask = encodeFrame('ask', Buffer.of(1));
    stage.arrive(0, ask);
    stage.turns();
    while (stage.budget.reserve(64 * KIB, Claim.Direct));
    while (stage.budget.reserve(KIB, Claim.Direct));
    stage.arrive(0, Buffer.concat([ask, encodeFrame('ping', Buffer.alloc(8))]));
    stage.turns();
    expect(told).toEqual([true, false]);
    expect(stage.out().frames.map(([, type]) => type)).toEqual(['answer', 'pong']);
    expect([stage.count('shedDirect'), stage.count('sendsRefused')]).toEqual([1, 1]);
  });
});
