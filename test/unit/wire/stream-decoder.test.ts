import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamDecoder } from '../../../src/main/net/stream-decoder.js';
import { bytesOf, cut, digest, expectedOf, type Found, type FrameVector, readVectors } from './vectors.js';

function decode(pieces: readonly Buffer[]): { found: Found[]; rest: number | null } {
  const decoder = new StreamDecoder();
  const found: Found[] = [];
  let closed = false;
  for (const piece of pieces) {
    for (const item of decoder.push(piece)) {
      if (item.kind === 'frame') found.push({ type: item.type, payload: digest(item.payload) });
      else if (item.kind === 'drop') found.push({ drop: item.code });
      else {
        found.push({ close: item.code });
        closed = true;
      }
    }
  }
  return { found, rest: closed ? null : decoder.rest };
}

describe('frames as in the vector, however they are cut', () => {
  const vectors = readVectors<FrameVector>('frames.json').map((vector) => [vector.name, vector] as const);

  it.each(vectors)('%s', (_, vector) => {
    const bytes = bytesOf(vector.input);
    const wanted = { found: expectedOf(vector), rest: vector.rest };
    expect(decode([bytes])).toEqual(wanted);
    if (bytes.length < 4096) expect(decode([...bytes].map((byte) => Buffer.of(byte)))).toEqual(wanted);
    const runs = bytes.length < 4096 ? 50 : 3;
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
        expect(decode(cut(bytes, places))).toEqual(wanted);
      }),
      { numRuns: runs },
    );
  });
});
