/** Consumer of the byte-ring test: decodes frames in place and tells what it saw. Runs compiled code. */
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../../dist/src/shared/memory/arena.js';
import { Slot } from '../../dist/src/shared/memory/arena-layout.js';
import { MemoryBudget } from '../../dist/src/shared/memory/memory-budget.js';
import { ReadyQueue } from '../../dist/src/shared/memory/ready-queue.js';
import { AsideStore } from '../../dist/src/workers/aside-store.js';
import { FrameDecoder, Step } from '../../dist/src/workers/frame-decoder.js';
import { PeerStream } from '../../dist/src/workers/peer-stream.js';
import { TypeInterner } from '../../dist/src/workers/type-interner.js';

const { buffer, slots, frames } = workerData;
const arena = Arena.attach(buffer);
const { words, layout } = arena;
const asides = new AsideStore(new MemoryBudget(arena), () => undefined);
const decoder = new FrameDecoder(arena, 0, asides, new TypeInterner(() => 0, null, new Uint8Array(8)));
const queue = new ReadyQueue(arena, 0);
const streams = Array.from({ length: slots }, (_, slot) => new PeerStream(arena, slot));
const next = new Array(slots).fill(0);
const problems = [];
let left = slots * frames;

function check(slot) {
  const { source, payloadOffset: at, payloadBytes } = decoder;
  const view = new DataView(source.buffer, source.byteOffset + at, payloadBytes);
  if (view.getUint32(0) !== next[slot]++) problems.push(`slot ${slot}: ${view.getUint32(0)} after ${next[slot] - 2}`);
  let sum = 0;
  for (let i = 8; i < payloadBytes; i++) sum = (Math.imul(sum, 31) + source[at + i]) | 0;
  if (view.getInt32(4) !== sum) problems.push(`slot ${slot}: checksum of ${next[slot] - 1}`);
}

while (left > 0 && problems.length === 0) {
  if (!queue.pop()) continue;
  const stream = streams[queue.slot];
  stream.end = Atomics.load(words, stream.control + Slot.WriteCursor);
  for (let step = decoder.next(stream); step === Step.Frame; step = decoder.next(stream)) {
    check(stream.slot);
    decoder.commit(stream);
    left--;
  }
  Atomics.store(words, stream.control + Slot.ReadCursor, stream.position);
}
parentPort.postMessage({ problems, left, next });
void layout;
