import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Header } from '../../src/shared/memory/arena-layout.js';
import { OutboundReader, RecordKind } from '../../src/shared/memory/outbound-ring.js';
import { ReadyQueue } from '../../src/shared/memory/ready-queue.js';
import { Signal } from '../../src/shared/memory/signal.js';
import { encodeFrame } from '../../src/shared/wire/frame.js';
import { fill, makeArena, openSlot } from '../unit/workers/stage.js';

const threads: Worker[] = [];
afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.terminate();
});

/** Starts a thread; settles with the message that it ends with. */
function thread(file: string, workerData: object): Promise<unknown> {
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  threads.push(worker);
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const DEADLINE_MS = 60_000;

describe('two threads', () => {
  it('pass three million frames through rings and a ready queue, each whole, in order, once', async () => {
    const slots = 6;
    const frames = 500_000;
    const { arena } = makeArena({ slots, ringBytes: 16_384 });
    const rings = Array.from({ length: slots }, (_, slot) => openSlot(arena, slot));
    const queue = new ReadyQueue(arena, 0);
    const ended = thread('./ring-consumer.mjs', { buffer: arena.buffer, slots, frames });
    // Blocks of frames are numbered anew each time they are written.
    const blocks = rings.map(() => ({ bytes: Buffer.alloc(0), done: 0, made: 0 }));
    const endMs = performance.now() + DEADLINE_MS;
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const [slot, block] of blocks.entries()) {
        if (block.done === block.bytes.length && block.made < frames) {
          const count = Math.min(200, frames - block.made);
          block.bytes = Buffer.concat(Array.from({ length: count }, (_, i) => numbered(slot, block.made + i)));
          block.done = 0;
          block.made += count;
        }
        if (block.done === block.bytes.length) continue;
        isDone = false;
        const took = fill(rings[slot], block.bytes.subarray(block.done));
        block.done += took;
        if (took > 0) queue.push(slot, 0);
      }
      if (performance.now() > endMs) throw new Error(`stuck at ${JSON.stringify(blocks.map(({ made }) => made))}`);
    }
    expect(await ended).toEqual({ problems: [], left: 0, next: new Array(slots).fill(frames) });
  }, 90_000);

  it('pass two million records through an outbound ring that is full most of the time', async () => {
    const records = 2_000_000;
    const { arena } = makeArena({ outboundBytes: 64 * 1024 });
    const reader = new OutboundReader(arena, 0);
    const signal = new Signal(arena.words, Header.MainSignal);
    let finished = false;
    const ended = thread('./outbound-producer.mjs', { buffer: arena.buffer, records }).then(() => {
      finished = true;
    });
    const view = Buffer.from(arena.buffer);
    let next = 0;
    const endMs = performance.now() + DEADLINE_MS;
    while (next < records) {
      while (reader.next()) {
        if (reader.kind === RecordKind.Pong) next = checkPayload(view, reader.dataOffset, reader.dataBytes, next);
        else next = checkRun(view, reader, next);
      }
      reader.release();
      if (performance.now() > endMs) throw new Error(`stuck at record ${next}, producer finished: ${finished}`);
      if (next === records) break;
      const ticket = signal.park();
      if (reader.isEmpty) await signal.wait(ticket);
      else signal.unpark();
    }
    await ended;
    expect(next).toBe(records);
  }, 90_000);
});

const patterns = Array.from({ length: 64 }, (_, i) => {
  const body = Buffer.alloc((i * 37) % 300, i);
  let sum = 0;
  for (const byte of body) sum = (Math.imul(sum, 31) + byte) | 0;
  const payload = Buffer.concat([Buffer.alloc(8), body]);
  payload.writeInt32BE(sum, 4);
  return encodeFrame('tx', payload);
});

/** A frame with its number, and the checksum of what follows. */
function numbered(slot: number, n: number): Buffer {
  const frame = Buffer.from(patterns[(n + slot) % patterns.length]);
  frame.writeUInt32BE(n, 8);
  return frame;
}

/** Checks one payload of the producer. @returns the number of the next */
function checkPayload(view: Buffer, at: number, bytes: number, next: number): number {
  if (view.readUInt32BE(at) !== next) throw new Error(`record ${view.readUInt32BE(at)} where ${next} should be`);
  if (view[at + 4] !== (next & 0xff) || view[at + bytes - 1] !== (next & 0xff))
    throw new Error(`record ${next} is torn`);
  return next + 1;
}

/** Checks a run: node ID, then frames. */
function checkRun(view: Buffer, reader: OutboundReader, first: number): number {
  const id = view.toString('latin1', reader.dataOffset, reader.dataOffset + 6);
  if (id !== `peer-${first % 4}`) throw new Error(`run for ${id} where ${first} should be`);
  let next = first;
  let at = reader.dataOffset + 32;
  const end = reader.dataOffset + reader.dataBytes;
  for (let frames = 0; at < end; frames++) {
    const length = view.readUInt32BE(at);
    next = checkPayload(view, at + 8, length - 4, next);
    at += 4 + length;
    if (frames > reader.frames) throw new Error('more frames than the record says');
  }
  return next;
}
