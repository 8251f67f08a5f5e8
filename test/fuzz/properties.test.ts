/**
 * The targets once more, by inputs that are made right and then put together wrongly: what the fuzzer reaches step by
 * step, these reach at once, and fast-check shrinks what fails by what it is made of.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configurations } from './inputs/config.js';
import { handshakes } from './inputs/handshake.js';
import { pexMessages } from './inputs/pex.js';
import { ip, withSlips } from './inputs/slips.js';
import type { Target } from './target.js';
import { config } from './targets/config.js';
import { decoder } from './targets/decoder.js';
import { handshake } from './targets/handshake.js';
import { msgpack } from './targets/msgpack.js';
import { peerList } from './targets/peer-list.js';
import { pex } from './targets/pex.js';
import { pipeline } from './targets/pipeline.js';
import { text } from './targets/text.js';
import { targets } from './targets.js';

const byte = fc.nat(255);
const few = (maxLength: number) => fc.uint8Array({ maxLength });

/** @returns what the target noted of each input: what came of it */
function check(target: Target, inputs: fc.Arbitrary<Uint8Array>, numRuns: number): number[] {
  const notes: number[] = [];
  fc.assert(
    fc.property(inputs, (input) => target.run(input, (what) => notes.push(what))),
    { numRuns, seed: 1 },
  );
  return notes;
}

/** Bytes behind a length field that is right, or a bit wrong. */
function withLength(width: 1 | 2 | 4, bytes: Uint8Array, off: number): Uint8Array {
  const field = Buffer.alloc(width);
  field.writeUIntBE(Math.max(0, bytes.length + off) % 2 ** (8 * width), 0, width);
  return Buffer.concat([field, bytes]);
}

const off = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -4, max: 4 }) },
);
const type = fc.oneof(
  fc
    .constantFrom('tx', 'mp', 'gs', 'ping', 'pong', 'disconnect', 'pex/peers', 'ü')
    .map((name) => new Uint8Array(Buffer.from(name))),
  few(260),
);
const frame = fc
  .tuple(type, few(300), off, off)
  .map(([name, payload, one, two]) => withLength(4, Buffer.concat([withLength(2, name, two), payload]), one));
/** How a target plays a stream, before the stream. */
const plan = fc
  .tuple(byte, few(7))
  .map(([mode, lengths]) => Buffer.concat([Uint8Array.of(mode, lengths.length), lengths]));
const stream = fc
  .tuple(plan, fc.array(frame, { maxLength: 12 }))
  .map(([before, frames]) => new Uint8Array(Buffer.concat([before, ...frames])));

const entry = fc
  .tuple(few(130), fc.nat(65_535), fc.oneof(ip, fc.string({ maxLength: 70 })), off)
  .map(([id, port, ip, wrong]) => {
    const address = withLength(1, new Uint8Array(Buffer.from(ip)), wrong);
    return Buffer.concat([withLength(1, id, wrong), Uint8Array.of(port >> 8, port), address]);
  });
const list = fc.tuple(byte, byte, fc.array(entry, { maxLength: 8 }), off).map(([mode, piece, entries, wrong]) => {
  const count = Math.max(0, entries.length + wrong);
  return new Uint8Array(Buffer.concat([Uint8Array.of(mode, piece, 0, count), ...entries]));
});

/** A value of each format, with lengths that are mostly right. */
const { packed } = fc.letrec<{ packed: Uint8Array }>((tie) => ({
  packed: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    byte.map((one) => Uint8Array.of(one)),
    fc
      .tuple(fc.constantFrom(0xd9, 0xc4), few(40), off)
      .map(([first, bytes, wrong]) => Buffer.concat([Uint8Array.of(first), withLength(1, bytes, wrong)])),
    fc
      .tuple(fc.constantFrom(0xca, 0xcb, 0xcf, 0xd3, 0xd6, 0xd7, 0xc7), few(14))
      .map(([first, bytes]) => Buffer.concat([Uint8Array.of(first), bytes])),
    fc
      .tuple(fc.array(tie('packed'), { maxLength: 5 }), off)
      .map(([values, wrong]) =>
        Buffer.concat([Uint8Array.of(0x90 | (Math.max(0, values.length + wrong) & 15)), ...values]),
      ),
    fc.tuple(fc.array(fc.tuple(few(10), tie('packed')), { maxLength: 4 }), off).map(([pairs, wrong]) => {
      const parts = pairs.flatMap(([key, value]) => [Uint8Array.of(0xa0 | key.length), key, value]);
      return Buffer.concat([Uint8Array.of(0x80 | (Math.max(0, pairs.length + wrong) & 15)), ...parts]);
    }),
  ),
}));

describe('what is put together by its parts', () => {
  it('is decoded as the reference decodes it', () => void check(decoder, stream, 1000));
  it('goes through a worker as it must', () => void check(pipeline, stream, 150));
  it('is read as a peer list as it must', () => void check(peerList, list, 1000));
  it('is read as msgpack as it must', () => {
    const bytes = packed.map((one) => new Uint8Array(one));
    check(msgpack, bytes, 1000);
  });

  it('is accepted as a handshake, or refused by each of the codes that there are', () => {
    const notes = check(handshake, handshakes, 2000);
    const [responder, initiator] = [8, 0].map((shift) => new Set(notes.map((note) => (note >> shift) & 0xff)));
    expect(responder).toEqual(new Set([0x80, 0x82, 0x01, 0x02, 0x05, 0x41]));
    expect(initiator).toEqual(new Set([0x80, 0x81, 0x82, 0x01, 0x02, 0x05, 0x4a]));
  });

  it('is learned as a message of peers as far as it is of use', () => {
    const notes = check(pex, pexMessages, 400);
    const useful = notes.filter((note) => note <= 3);
    for (const count of [0, 1, 2, 3]) expect(useful.filter((one) => one === count).length).toBeGreaterThan(10);
  });

  it('is taken as configuration from the source that counts, and means what it says', () => {
    const notes = check(config, configurations, 1500);
    const taken = notes.filter((note) => note >= 1000);
    expect(taken.length).toBeGreaterThan(300);
    // Of two sources and more.
    expect(taken.filter((note) => note >= 1008).length).toBeGreaterThan(100);
    expect(new Set(notes.filter((note) => note < 1000).map((note) => note >> 2)).size).toBeGreaterThan(30);
  });

  it('is an IP address, and routable or not, as the reference has it', () => {
    check(
      text,
      withSlips(ip).map((one) => new Uint8Array(Buffer.from(one))),
      1500,
    );
  });
});

describe('any bytes at all', () => {
  it.each(targets.map((target) => [target.name, target] as const))('are taken by the %s as they must', (_, target) => {
    check(target, few(400), 150);
  });
});
