import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Worker } from '../../../src/shared/memory/arena-layout.js';
import { OutboundReader, OutboundWriter, RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { makeArena } from '../workers/stage.js';

function neverFull(): void {
  throw new Error('the ring is full');
}

function rig(outboundBytes = 4096) {
  const { arena } = makeArena({ outboundBytes });
  return { arena, writer: new OutboundWriter(arena, 0, neverFull), reader: new OutboundReader(arena, 0) };
}
type Rig = ReturnType<typeof rig>;

/** Writes one frame as the outbox does: into the open run, or a record of its own. */
function writeFrame({ arena, writer }: Rig, slot: number, frame: Uint8Array): number {
  const source = frame.byteOffset;
  let at = writer.extend(RecordKind.Send, slot, 1, frame.length, 3, source);
  if (at === -1) at = writer.record(RecordKind.Send, slot, 1, frame.length, 3, 1, 0, source);
  arena.bytes.set(frame, at);
  return at;
}

/** Everything that is published, as [slot, frames, bytes]. */
function readAll({ arena, reader }: Rig): { slot: number; frames: number; data: Buffer }[] {
  const records: { slot: number; frames: number; data: Buffer }[] = [];
  while (reader.next()) {
    const data = Buffer.from(arena.bytes.slice(reader.dataOffset, reader.dataOffset + reader.dataBytes));
    records.push({ slot: reader.a, frames: reader.frames, data });
  }
  reader.release();
  return records;
}

const frameOf = (n: number, bytes: number) => encodeFrame('tx', Buffer.alloc(bytes, n));

describe('an outbound ring', () => {
  it('joins adjacent frames of one target in one record and starts another for the next target', () => {
    const r = rig();
    for (const [slot, n] of [
      [1, 1],
      [1, 2],
      [2, 3],
      [1, 4],
    ])
      writeFrame(r, slot, frameOf(n, 10));
    r.writer.publish();
    const records = readAll(r);
    expect(records.map(({ slot, frames }) => [slot, frames])).toEqual([
      [1, 2],
      [2, 1],
      [1, 1],
    ]);
    expect(records[0].data).toEqual(Buffer.concat([frameOf(1, 10), frameOf(2, 10)]));
  });

  it('shows nothing before it is published, and never adds to a record that is', () => {
    const r = rig();
    writeFrame(r, 1, frameOf(1, 10));
    expect(readAll(r)).toEqual([]);
    r.writer.publish();
    writeFrame(r, 1, frameOf(2, 10));
    r.writer.publish();
    expect(readAll(r).map(({ frames }) => frames)).toEqual([1, 1]);
  });

  it('calls for its reader when it is full, and goes on when there is room', () => {
    const { arena } = makeArena({ outboundBytes: 1024 });
    const reader = new OutboundReader(arena, 0);
    let calls = 0;
    const got: number[] = [];
    const writer = new OutboundWriter(arena, 0, () => {
      calls++;
      while (reader.next()) got.push(reader.a);
      reader.release();
    });
    for (let i = 0; i < 200; i++) writer.record(RecordKind.Resume, i, 1, 0, 0, 0);
    writer.publish();
    while (reader.next()) got.push(reader.a);
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(calls).toBeGreaterThan(3);
  });

  it('puts first and large frames in phase with what they are copied from, and leaves the others together', () => {
    const source = Buffer.alloc(8192, 7);
    for (let phase = 0; phase < 8; phase++) {
      const r = rig(65_536);
      const places = [10, 3000, 11, 3000].map((bytes) => writeFrame(r, 1, source.subarray(phase, phase + bytes)));
      for (const i of [0, 1, 3]) expect(places[i] % 8, `frame ${i}`).toBe(phase);
      expect(places[2]).toBe(places[1] + 3000);
      r.writer.publish();
      expect(readAll(r).map(({ data }) => data.length)).toEqual([10, 3011, 3000]);
    }
  });

  it('refuses a record that could never fit', () => {
    const { writer } = rig();
    expect(() => writer.record(RecordKind.Deliver, 0, 0, writer.maxDataBytes + 1, 0, 0)).toThrow(RangeError);
  });

  it('delivers any frames in order through any number of wraps', () => {
    const frames = fc.array(fc.tuple(fc.nat(3), fc.nat(900), fc.boolean()), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(frames, (list) => {
        const r = rig(4096);
        const sent = [Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)];
        const got = [...sent];
        const take = () => {
          r.writer.publish();
          for (const { slot, data } of readAll(r)) got[slot] = Buffer.concat([got[slot], data]);
        };
        for (const [i, [slot, bytes, publishes]] of list.entries()) {
          const frame = frameOf(i, bytes);
          // A quarter of the ring is the most that one frame may need, so three without a reader always fit.
          if (publishes || i % 3 === 0) take();
          writeFrame(r, slot, frame);
          sent[slot] = Buffer.concat([sent[slot], frame]);
        }
        take();
        expect(got).toEqual(sent);
      }),
    );
  });

  it('after its writer died anywhere, holds exactly what was written up to the last mark', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('frame' as const), slot: fc.nat(2), bytes: fc.nat(120) }),
        fc.record({ do: fc.constant('mark' as const) }),
        fc.record({ do: fc.constant('command' as const) }),
        fc.record({ do: fc.constant('publish' as const) }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const r = rig(16_384);
        let kept: string[] = [];
        let all: string[] = [];
        for (const [i, step] of list.entries()) {
          if (step.do === 'frame') {
            const frame = frameOf(i, step.bytes);
            writeFrame(r, step.slot, frame);
            all.push(`${step.slot} ${frame.toString('hex')}`);
          } else if (step.do === 'command') {
            r.writer.record(RecordKind.Resume, 99, 1, 0, 0, 0);
            all.push('resume');
          } else {
            if (step.do === 'mark') r.writer.markProgress();
            else r.writer.publish();
            kept = [...all];
          }
        }
        all = kept;
        r.reader.recover();
        // A replacement writes on behind it.
        const next = { ...r, writer: new OutboundWriter(r.arena, 0, neverFull) };
        writeFrame(next, 1, frameOf(200, 5));
        next.writer.publish();
        const wanted = [...all, `1 ${frameOf(200, 5).toString('hex')}`];
        expect(flat(readAll(next))).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps no writer waiting for room that is made in the moment in which it says that it waits', () => {
    const r = rig();
    const writer = new OutboundWriter(r.arena, 0, () => undefined);
    for (let i = 0; i < 3; i++) writer.record(RecordKind.Pong, 0, 1, 900, 0, 0);
    const waiting = r.arena.layout.worker(0) + Worker.OutboundWaiting;
    const { store } = Atomics;
    const spy = vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, at: number, value: number) => {
      const stored = store(words, at, value);
      if (at !== waiting || value !== 1) return stored;
      // Another thread at its worst: it takes one record, gives its memory back, and sees the flag before the writer sleeps.
      r.reader.next();
      r.reader.release();
      return stored;
    }) as typeof store);
    const waits = vi.spyOn(Atomics, 'wait');
    try {
      for (let i = 0; i < 2; i++) writer.record(RecordKind.Pong, 0, 1, 900, 0, 0);
      expect(waits.mock.results.map(({ value }) => value)).not.toContain('timed-out');
      expect(waits.mock.calls.length).toBeGreaterThan(0);
    } finally {
      spy.mockRestore();
      waits.mockRestore();
    }
    expect(r.arena.words[waiting]).toBe(0);
  });

  it('keeps its cursors right where they wrap round 2^32', () => {
    const { arena } = makeArena({ outboundBytes: 4096 });
    const block = arena.layout.worker(0);
    for (const word of [Worker.OutboundRead, Worker.OutboundWrite, Worker.OutboundProgress])
      arena.words[block + word] = -4096;
    const r = { arena, writer: new OutboundWriter(arena, 0, neverFull), reader: new OutboundReader(arena, 0) };
    for (let i = 0; i < 50; i++) {
      writeFrame(r, 1, frameOf(i, 300));
      r.writer.publish();
      expect(flat(readAll(r))).toEqual([`1 ${frameOf(i, 300).toString('hex')}`]);
    }
  });
});

/** Records as single frames, whatever runs they stood in. */
function flat(records: { slot: number; frames: number; data: Buffer }[]): string[] {
  return records.flatMap(({ slot, frames, data }) => {
    if (slot === 99) return ['resume'];
    const single: string[] = [];
    for (let at = 0; at < data.length; ) {
      const end = at + 4 + data.readUInt32BE(at);
      single.push(`${slot} ${data.subarray(at, end).toString('hex')}`);
      at = end;
    }
    expect(single.length).toBe(frames);
    return single;
  });
}
