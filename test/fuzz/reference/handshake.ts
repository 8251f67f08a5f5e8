/** A handshake as rulings 2 says it, in its order. */
import { nameOf } from './text.js';

/** `foundId` is who answered where another was dialled. */
export type Verdict = {
  readonly kind: string;
  readonly code?: number;
  readonly nodeId?: string;
  readonly foundId?: string;
};

/** Text and then zeros to the end of a field of 32 bytes. */
function idOf(bytes: Uint8Array, at: number): string | null {
  const field = Buffer.from(bytes.subarray(at, at + 32))
    .toString('latin1')
    .replace(/\0+$/, '');
  return nameOf(Buffer.from(field, 'latin1'), 32);
}

/** @param own what we are, and as an initiator whom we dialled */
export function judge(
  bytes: Uint8Array,
  own: { readonly chainId: string; readonly nodeId: string; readonly dialledId: string | null },
  role: 'responder' | 'initiator',
): Verdict {
  if (bytes.length < 65) return { kind: 'incomplete' };
  const no = role === 'responder' ? 'refuse' : 'reject';
  if (role === 'initiator' && bytes[0] === 0) return { kind: 'refused', code: bytes[1] };
  if (bytes[0] !== 1) return { kind: no, code: 0x01 };
  if (idOf(bytes, 1) !== own.chainId) return { kind: no, code: 0x02 };
  const nodeId = idOf(bytes, 33);
  if (nodeId === null) return { kind: no, code: 0x05 };
  if (role === 'responder') return nodeId === own.nodeId ? { kind: no, code: 0x41 } : { kind: 'accept', nodeId };
  const isOther = own.dialledId !== null && own.dialledId !== nodeId;
  return isOther ? { kind: no, code: 0x4a, foundId: nodeId } : { kind: 'accept', nodeId };
}
