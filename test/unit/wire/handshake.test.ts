import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError, ErrorCode } from '../../../src/shared/errors.js';
import { HANDSHAKE_BYTES } from '../../../src/shared/limits.js';
import {
  checkAsInitiator,
  checkAsResponder,
  encodeHandshake,
  encodeRefusal,
  validateId,
} from '../../../src/shared/wire/handshake.js';

const own = { chainId: 'chain', nodeId: 'own' };
const CHAIN_AT = 1;
const NODE_AT = 33;

/** A handshake with raw bytes in one of its fields. */
function withField(at: number, bytes: string | Uint8Array): Buffer {
  const handshake = encodeHandshake('chain', 'peer');
  handshake.fill(0, at, at + 32);
  handshake.set(Buffer.from(bytes as string), at);
  return handshake;
}

const notText: [string, string | Uint8Array][] = [
  ['is empty', ''],
  ['goes on after its zero padding began', 'pe\0er'],
  ['begins with a zero', '\0peer'],
  ['holds a control character', 'pe\ner'],
  ['holds a C1 control character', 'pe\u0085er'],
  ['is not UTF-8', Uint8Array.of(0x70, 0xff)],
  ['ends within a character', Buffer.from('€').subarray(0, 2)],
  ['is an overlong form', Uint8Array.of(0xc1, 0x81)],
];

describe('an ID field of a handshake', () => {
  it.each(notText)('with a node ID that %s is InvalidMessageFormat on both sides', (_, id) => {
    const bytes = withField(NODE_AT, id);
    expect(checkAsResponder({ bytes, ...own })).toMatchObject({ kind: 'refuse', code: 0x05 });
    expect(checkAsInitiator({ bytes, chainId: 'chain', dialledId: 'peer' })).toMatchObject({
      kind: 'reject',
      code: 0x05,
    });
  });

  it.each(notText)('with a chain ID that %s is ChainIDMismatch on both sides', (_, id) => {
    const bytes = withField(CHAIN_AT, id);
    expect(checkAsResponder({ bytes, ...own })).toMatchObject({ kind: 'refuse', code: 0x02 });
    expect(checkAsInitiator({ bytes, chainId: 'chain', dialledId: null })).toMatchObject({
      kind: 'reject',
      code: 0x02,
    });
  });

  it('may fill its 32 bytes, and a peer may have a node ID that is not ASCII', () => {
    for (const id of ['n'.repeat(32), 'ü'.repeat(16), 'a@b']) {
      expect(checkAsResponder({ bytes: withField(NODE_AT, id), ...own })).toEqual({ kind: 'accept', nodeId: id });
    }
  });
});

describe('a handshake', () => {
  it('of any 65 bytes is judged without an error, and accepted only with an ID fit for logs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (id) => {
        const bytes = withField(NODE_AT, id);
        const check = checkAsResponder({ bytes, ...own });
        if (check.kind === 'accept') expect(check.nodeId).not.toMatch(/\p{Cc}/u);
        else expect(check).toMatchObject({ kind: 'refuse' });
      }),
      { numRuns: 2000 },
    );
  });

  it('from the peer that was dialled is accepted, from another it is IdentityMismatch', () => {
    const bytes = encodeHandshake('chain', 'peer');
    expect(checkAsInitiator({ bytes, chainId: 'chain', dialledId: 'peer' })).toEqual({
      kind: 'accept',
      nodeId: 'peer',
    });
    expect(checkAsInitiator({ bytes, chainId: 'chain', dialledId: 'pee' })).toMatchObject({
      kind: 'reject',
      code: ErrorCode.IdentityMismatch,
    });
  });
});

describe('a reason that quotes an ID of the other side', () => {
  const hostile = 'a\u202eb\u2028c';

  it('keeps to one line and to the reading order', () => {
    const chain = withField(CHAIN_AT, hostile);
    expect(checkAsResponder({ bytes: chain, ...own })).toMatchObject({ reason: 'chain a?b?c, ours is chain' });
    const node = withField(NODE_AT, hostile);
    expect(checkAsInitiator({ bytes: node, chainId: 'chain', dialledId: '\u2066x' })).toMatchObject({
      code: ErrorCode.IdentityMismatch,
      reason: 'dialled ?x, found a?b?c',
    });
  });
});

describe('a refusal', () => {
  it('is a version mismatch to a peer that does not know it', () => {
    expect(checkAsResponder({ bytes: encodeRefusal(0x06, 'full'), ...own })).toMatchObject({ code: 0x01 });
  });

  it('reads back as it was written, cut to its field', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.string({ unit: 'grapheme', maxLength: 80 }), (code, text) => {
        const reason = text.replace(/\p{C}|\p{Zl}|\p{Zp}/gu, '');
        const bytes = encodeRefusal(code, reason);
        expect(bytes.length).toBe(HANDSHAKE_BYTES);
        const check = checkAsInitiator({ bytes, chainId: 'chain', dialledId: null });
        if (check.kind !== 'refused') throw new Error(`a refusal is read as ${check.kind}`);
        expect(check.code).toBe(code);
        if (reason !== '') expect(reason.startsWith(check.reason)).toBe(true);
        if (Buffer.byteLength(reason) <= 63 && reason !== '') expect(check.reason).toBe(reason);
      }),
    );
  });

  it('without a reason is told by the name of its code', () => {
    const check = checkAsInitiator({ bytes: encodeRefusal(0x06, ''), chainId: 'chain', dialledId: null });
    expect(check).toEqual({ kind: 'refused', code: 0x06, reason: 'PeerLimitReached' });
  });
});

describe('an ID of our own', () => {
  it.each(['paw-mainnet', 'x', 'c'.repeat(32), 'ü'.repeat(16), 'with space', 'a@b'])('%j may be a chain ID', (id) => {
    expect(() => validateId('chainId', id)).not.toThrow();
  });

  it.each(['x', 'n'.repeat(32), 'with space', '~!?'])('%j may be a node ID', (id) => {
    expect(() => validateId('nodeId', id)).not.toThrow();
  });

  it.each(['', 'c'.repeat(33), 'ü'.repeat(17), 'a\0', 'a\nb', '\ud800'])('%j is no chain ID', (id) => {
    expect(() => validateId('chainId', id)).toThrow(ConfigError);
    expect(() => encodeHandshake(id, 'own')).toThrow(ConfigError);
  });

  it.each(['', 'n'.repeat(33), 'a@b', 'ü', 'a\tb', 'a\x7f', 'line\n'])('%j is no node ID', (id) => {
    expect(() => validateId('nodeId', id)).toThrow(ConfigError);
    expect(() => encodeHandshake('chain', id)).toThrow(ConfigError);
  });

  it('that is wrong is told on one short line with its key', () => {
    const error = ((): ConfigError | null => {
      try {
        validateId('nodeId', `a\n\u0085${'x'.repeat(9999)}`);
      } catch (caught) {
        return caught as ConfigError;
      }
      return null;
    })();
    expect(error?.key).toBe('nodeId');
    expect(error?.message).toMatch(/^nodeId is 'a\?\?x+': must be 1 to 32 printable ASCII characters without '@'$/);
    expect(error?.message.length).toBeLessThan(200);
  });
});
