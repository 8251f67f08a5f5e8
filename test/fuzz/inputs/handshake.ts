/** Handshakes of the right length, with fields that are right or nearly; some are too short, some have more behind them. */
import fc from 'fast-check';
import { CHAINS, DIALLED, NODES } from '../targets/handshake.js';
import { withSlips } from './slips.js';

const names = [...CHAINS, ...NODES, ...DIALLED.filter((id) => id !== null)];

/** 32 bytes, and what doesn't fit is cut off. */
function field(text: string): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.write(text);
  return bytes;
}

/** Now and then a byte is another: in the text, or in the zeros behind it. */
const bytes65 = (version: number, chainId: string, nodeId: string, wrongAt: number, wrong: number): Buffer => {
  const whole = Buffer.concat([Uint8Array.of(version), field(chainId), field(nodeId)]);
  if (wrongAt < whole.length) whole[wrongAt] = wrong;
  return whole;
};

const version = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.constantFrom(0, 2, 255) },
);
const nodeId = withSlips(fc.constantFrom(...names, 'stranger', ''));
const wrongAt = fc.oneof(
  { weight: 6, arbitrary: fc.constant(65) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 64 }) },
);
const length = fc.oneof({ weight: 9, arbitrary: fc.constant(65) }, { weight: 1, arbitrary: fc.nat(64) });

export const handshakes = fc.nat(63).chain((who) => {
  const own = CHAINS[who & 3];
  const chainId = fc.oneof(
    { weight: 6, arbitrary: fc.constant(own) },
    { weight: 1, arbitrary: withSlips(fc.constantFrom(...names)) },
  );
  return fc
    .tuple(version, chainId, nodeId, wrongAt, fc.nat(255), length, fc.uint8Array({ maxLength: 20 }))
    .map(([version, chainId, nodeId, wrongAt, wrong, length, behind]) => {
      const head = bytes65(version, chainId, nodeId, wrongAt, wrong).subarray(0, length);
      return new Uint8Array(Buffer.concat([Uint8Array.of(who), head, length === 65 ? behind : new Uint8Array(0)]));
    });
});
