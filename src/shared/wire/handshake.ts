/**
 * The handshake (specification 1.2, A.1; rulings 2): version, chain ID, node ID, 65 bytes each way. Pure; both sides.
 */
import { ConfigError, ErrorCode, errorCodeName } from '../errors.js';
import { HANDSHAKE_BYTES, ID_BYTES, PROTOCOL_VERSION } from '../limits.js';
import { cutText, harmless, readReason } from './disconnect.js';
import { isValidTypeBytes } from './message-type.js';

/** First byte of a refusal: no version 1 peer takes it for a handshake. */
const REFUSAL = 0x00;
const CHAIN_AT = 1;
const NODE_AT = CHAIN_AT + ID_BYTES;

interface Incomplete {
  readonly kind: 'incomplete';
}
interface Accepted {
  readonly kind: 'accept';
  readonly nodeId: string;
}
interface Fault {
  readonly code: number;
  readonly reason: string;
  /** With IdentityMismatch: who answered where another was dialled. */
  readonly foundId?: string;
}

/** What a responder makes of an initiator's bytes. */
export type ResponderCheck = Incomplete | Accepted | ({ readonly kind: 'refuse' } & Fault);
/** What an initiator makes of the answer: `refused` by the other side, or `reject`ed by us. */
export type InitiatorCheck = Incomplete | Accepted | ({ readonly kind: 'refused' | 'reject' } & Fault);

/** Rulings 2: what `--node-id` may be. */
const OWN_NODE_ID = /^[ -?A-~]*$/;

/**
 * Checks an ID of our own against its field of the handshake; nothing is ever truncated. A chain ID is any text that
 * the other side can read back; a node ID (`key` is `nodeId`) is printable ASCII without `@` (rulings 2).
 * @throws ConfigError that names the key, the value and what is allowed
 */
export function validateId(key: 'chainId' | 'nodeId', id: string): void {
  const bytes = Buffer.from(id);
  const fits = bytes.length >= 1 && bytes.length <= ID_BYTES;
  const isNodeId = key === 'nodeId';
  if (fits && (isNodeId ? OWN_NODE_ID.test(id) : id.isWellFormed() && isValidTypeBytes(bytes, 0, bytes.length))) return;
  const allowed = isNodeId ? "printable ASCII characters without '@'" : 'bytes of text without control characters';
  throw new ConfigError(key, `${key} is '${readReason(bytes)}': must be 1 to ${ID_BYTES} ${allowed}`);
}

/** Whether a text is what a peer may show as its node ID: 1 to 32 bytes of text without control characters. */
export function isPeerId(id: string): boolean {
  const bytes = Buffer.from(id);
  return bytes.length <= ID_BYTES && id.isWellFormed() && isValidTypeBytes(bytes, 0, bytes.length);
}

/** The 65 bytes that we send. @throws ConfigError for IDs that don't fit */
export function encodeHandshake(chainId: string, nodeId: string): Buffer {
  validateId('chainId', chainId);
  validateId('nodeId', nodeId);
  const bytes = Buffer.alloc(HANDSHAKE_BYTES);
  bytes[0] = PROTOCOL_VERSION;
  bytes.write(chainId, CHAIN_AT);
  bytes.write(nodeId, NODE_AT);
  return bytes;
}

/** The 65 bytes of a refusal: 0, the error code, why. */
export function encodeRefusal(code: number, reason: string): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE_BYTES);
  bytes[0] = REFUSAL;
  bytes[1] = code;
  cutText(reason, HANDSHAKE_BYTES - 2).copy(bytes, 2);
  return bytes;
}

/** Checks version, chain ID, node ID present and not our own, in this order. */
export function checkAsResponder(input: { bytes: Uint8Array; chainId: string; nodeId: string }): ResponderCheck {
  const { bytes, chainId, nodeId } = input;
  if (bytes.length < HANDSHAKE_BYTES) return { kind: 'incomplete' };
  const fault = versionOrChainFault(bytes, chainId);
  if (fault !== null) return { kind: 'refuse', ...fault };
  const theirs = readId(bytes, NODE_AT);
  if (theirs === null) return { kind: 'refuse', ...noNodeId };
  if (theirs === nodeId) return { kind: 'refuse', code: ErrorCode.SelfConnection, reason: 'this is your own node ID' };
  return { kind: 'accept', nodeId: theirs };
}

/** Checks version, chain ID, node ID present and, where one was dialled, that it is the one dialled. */
export function checkAsInitiator(input: {
  bytes: Uint8Array;
  chainId: string;
  dialledId: string | null;
}): InitiatorCheck {
  const { bytes, chainId, dialledId } = input;
  if (bytes.length < HANDSHAKE_BYTES) return { kind: 'incomplete' };
  if (bytes[0] === REFUSAL) return { kind: 'refused', ...readRefusal(bytes) };
  const fault = versionOrChainFault(bytes, chainId);
  if (fault !== null) return { kind: 'reject', ...fault };
  const theirs = readId(bytes, NODE_AT);
  if (theirs === null) return { kind: 'reject', ...noNodeId };
  if (dialledId !== null && theirs !== dialledId) {
    // The one dialled may be hearsay, too.
    const reason = harmless(`dialled ${dialledId}, found ${theirs}`);
    return { kind: 'reject', code: ErrorCode.IdentityMismatch, reason, foundId: theirs };
  }
  return { kind: 'accept', nodeId: theirs };
}

const noNodeId: Fault = { code: ErrorCode.InvalidMessageFormat, reason: 'no valid node ID' };

function versionOrChainFault(bytes: Uint8Array, chainId: string): Fault | null {
  if (bytes[0] !== PROTOCOL_VERSION) {
    return {
      code: ErrorCode.ProtocolVersionMismatch,
      reason: `protocol version ${bytes[0]}, ours is ${PROTOCOL_VERSION}`,
    };
  }
  const theirs = readId(bytes, CHAIN_AT);
  if (theirs === chainId) return null;
  const shown = theirs === null ? 'ID not readable' : harmless(theirs);
  return { code: ErrorCode.ChainIDMismatch, reason: `chain ${shown}, ours is ${chainId}` };
}

/** An ID field: text, then zeros to the end. Null if it is empty or not such a text. */
function readId(bytes: Uint8Array, at: number): string | null {
  let length = ID_BYTES;
  while (length > 0 && bytes[at + length - 1] === 0) length--;
  if (!isValidTypeBytes(bytes, at, length)) return null;
  return Buffer.from(bytes.subarray(at, at + length)).toString();
}

function readRefusal(bytes: Uint8Array): Fault {
  const text = bytes.subarray(2, HANDSHAKE_BYTES);
  const end = text.indexOf(0);
  const code = bytes[1];
  const reason = readReason(end === -1 ? text : text.subarray(0, end));
  return { code, reason: reason === '' ? errorCodeName(code) : reason };
}
