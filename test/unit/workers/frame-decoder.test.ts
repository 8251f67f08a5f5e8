import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { bytesOf, cut, digest, expectedOf, type FrameVector, readVectors } from '../wire/vectors.js';
import { DecoderBench, MIB } from './stage.js';

function decode(ringBytes: number, pieces: readonly Buffer[]) {
  const bench = new DecoderBench(ringBytes);
  for (const piece of pieces) bench.arrive(piece);
  return { found: bench.found, rest: bench.closed ? null : bench.rest };
}

const ringSizes = [128, 256, 1024, 4096, 65_536];

describe('frames as in the vector, through rings of any size, however they are cut', () => {
  const vectors = readVectors<FrameVector>('frames.json').map((vector) => [vector.name, vector] as const);

  it.each(vectors)('%s', (_, vector) => {
    const bytes = bytesOf(vector.input);
    const wanted = { found: expectedOf(vector), rest: vector.rest };
    const isLong = bytes.length > 4096;
    for (const ringBytes of isLong ? [4096, 262_144] : ringSizes) {
      expect(decode(ringBytes, [bytes])).toEqual(wanted);
      if (!isLong)
        expect(
          decode(
            ringBytes,
            [...bytes].map((byte) => Buffer.of(byte)),
          ),
        ).toEqual(wanted);
    }
    fc.assert(
      fc.property(
        fc.array(fc.nat(bytes.length), { maxLength: 8 }),
        fc.constantFrom(...(isLong ? [16_384] : ringSizes)),
        (places, ringBytes) => {
          expect(decode(ringBytes, cut(bytes, places))).toEqual(wanted);
        },
      ),
      { numRuns: isLong ? 2 : 40 },
    );
  });
});

/** Payload sizes around every border that matters for a ring. */
const ringAndFrames = fc.constantFrom(...ringSizes).chain((ringBytes) => {
  const borders = [0, 1, ringBytes / 2 - 10, ringBytes / 2, ringBytes - 8, ringBytes, 2 * ringBytes];
  const size = fc.oneof(
    fc.nat(300),
    fc.constantFrom(...borders).chain((border) => fc.integer({ min: Math.max(0, border - 9), max: border + 9 })),
  );
  const type = fc.oneof(
    fc.constantFrom('tx', 'ping', 'ü/€'),
    fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 }),
  );
  const frames = fc.array(fc.tuple(type, size, fc.nat(255)), { maxLength: 25 });
  return fc.tuple(fc.constant(ringBytes), frames, fc.array(fc.nat(1_000_000), { maxLength: 40 }));
});

describe('a decoder', () => {
  it('delivers any sequence of frames whole, in order, once, through any ring, however it is cut', () => {
    fc.assert(
      fc.property(ringAndFrames, ([ringBytes, frames, places]) => {
        const payloads = frames.map(([, size, byte], i) => Buffer.alloc(size, byte + i));
        const stream = Buffer.concat(frames.map(([type], i) => encodeFrame(type, payloads[i])));
        const wanted = frames.map(([type], i) => ({ type, payload: digest(payloads[i]) }));
        expect(decode(ringBytes, cut(stream, places))).toEqual({ found: wanted, rest: 0 });
      }),
      { numRuns: 400 },
    );
  });

  it('comes to the same result for any bytes at all however they are cut, and never stops making progress', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      // Bytes that look more like frames reach deeper.
      fc
        .array(fc.tuple(fc.nat(40), fc.nat(12), fc.uint8Array({ maxLength: 40 })), { maxLength: 20 })
        .map((parts) => Uint8Array.from(parts.flatMap(([length, type, rest]) => [0, 0, 0, length, 0, type, ...rest]))),
    );
    fc.assert(
      fc.property(
        anyBytes,
        fc.constantFrom(128, 256, 4096),
        fc.array(fc.nat(600), { maxLength: 20 }),
        (bytes, ringBytes, places) => {
          const buffer = Buffer.from(bytes);
          expect(decode(ringBytes, cut(buffer, places))).toEqual(decode(ringBytes, [buffer]));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes memory for a large frame as it arrives, not as it was declared', () => {
    const bench = new DecoderBench(4096);
    const before = bench.budget.usedBytes;
    const frame = encodeFrame('block', Buffer.alloc(10 * MIB - 100));
    bench.arrive(frame.subarray(0, 3000));
    expect(bench.budget.usedBytes - before).toBeLessThanOrEqual(64 * 1024);
    bench.arrive(frame.subarray(3000, 200_000));
    expect(bench.budget.usedBytes - before).toBeLessThanOrEqual(2 * 256 * 1024);
    bench.arrive(frame.subarray(200_000));
    expect(bench.found).toHaveLength(1);
  });

  it('takes nothing for a frame whose type is invalid, however large it is', () => {
    const bench = new DecoderBench(4096);
    const before = bench.budget.usedBytes;
    const frame = encodeFrame('bad', Buffer.alloc(MIB));
    frame[6] = 0x07;
    bench.arrive(frame);
    bench.arrive(encodeFrame('tx', Buffer.of(1)));
    expect(bench.found).toEqual([{ drop: 5 }, { type: 'tx', payload: '01' }]);
    expect(bench.budget.usedBytes).toBe(before);
  });

  it('waits in front of a large frame while the budget has no room, and goes on when it has', () => {
    const bench = new DecoderBench(4096, 32 * 1024);
    const frame = encodeFrame('block', Buffer.alloc(40_000, 7));
    fillOnce(bench, frame.subarray(0, 4000));
    bench.decode();
    expect([bench.starved, bench.found.length, bench.rest]).toEqual([1, 0, 4000]);
    bench.budget.release(64 * 1024);
    bench.decode();
    bench.arrive(frame.subarray(4000));
    expect(bench.found).toEqual([{ type: 'block', payload: digest(Buffer.alloc(40_000, 7)) }]);
  });
});

function fillOnce(bench: DecoderBench, bytes: Uint8Array): void {
  const region = bench.ring.region(bytes.length);
  region.set(bytes);
  bench.ring.commit(bytes.length);
}
