import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkAsInitiator,
  checkAsResponder,
  encodeHandshake,
  encodeRefusal,
} from '../../../src/shared/wire/handshake.js';
import { root } from '../../architecture/source-files.js';
import { bytesOf, type Notation, readVectors, sharedCopy, vectorFiles } from './vectors.js';

interface HandshakeVector {
  readonly name: string;
  readonly role: 'responder' | 'initiator' | 'build';
  readonly chainId: string;
  readonly nodeId: string;
  readonly dialled?: string | null;
  readonly input: Notation;
  readonly expect: Record<string, unknown>;
}

describe('the copies of the vectors', () => {
  it.each(vectorFiles)('%s is what the project shares', (name) => {
    const shared = sharedCopy(name);
    if (shared === null) return;
    expect(readFileSync(join(root, 'test/vectors', name), 'utf8')).toBe(shared);
  });
});

function outcome(vector: HandshakeVector): unknown {
  const { role, chainId, nodeId } = vector;
  if (role === 'build') {
    try {
      return { output: encodeHandshake(chainId, nodeId).toString('hex') };
    } catch (error) {
      return { error: (error as { code: string }).code === 'ERR_PAW_CONFIG' ? 'config' : error };
    }
  }
  const input = bytesOf(vector.input);
  const bytes = input.subarray(0, 65);
  const checked =
    role === 'responder'
      ? checkAsResponder({ bytes, chainId, nodeId })
      : checkAsInitiator({ bytes, chainId, dialledId: vector.dialled ?? null });
  const code = 'code' in checked ? `0x${checked.code.toString(16).padStart(2, '0')}` : '';
  switch (checked.kind) {
    case 'incomplete':
      return { incomplete: true };
    case 'accept':
      return { accept: { chainId, nodeId: checked.nodeId }, rest: input.length - 65 };
    case 'refuse':
      return { refuse: code };
    case 'reject':
      return { reject: code };
    case 'refused':
      return { refused: { code, reason: checked.reason } };
  }
}

describe('a handshake as in the vector', () => {
  const vectors = readVectors<HandshakeVector>('handshakes.json');

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const got = outcome(vector) as Record<string, unknown>;
    const wanted = { ...vector.expect };
    // Where the rulings name no code, any will do.
    for (const key of ['refuse', 'reject']) if (wanted[key] === 'any' && key in got) wanted[key] = got[key];
    expect(got).toEqual(wanted);
  });

  it('refuses with 65 bytes that say why, cut on a character boundary', () => {
    const refusal = encodeRefusal(0x06, 'ü'.repeat(60));
    expect(refusal.length).toBe(65);
    const read = checkAsInitiator({ bytes: refusal, chainId: 'c', dialledId: null });
    expect(read).toEqual({ kind: 'refused', code: 0x06, reason: 'ü'.repeat(31) });
  });

  it('takes no node ID that hides control characters or breaks UTF-8', () => {
    for (const id of ['a\nb', '\u0085', Buffer.from([0xff, 0xfe]).toString('latin1')]) {
      const bytes = encodeHandshake('c', 'x');
      Buffer.from(id, id.length === 2 && id.charCodeAt(0) > 0xf0 ? 'latin1' : 'utf8').copy(bytes, 33);
      expect(checkAsResponder({ bytes, chainId: 'c', nodeId: 'own' })).toMatchObject({ kind: 'refuse', code: 0x05 });
    }
  });
});
