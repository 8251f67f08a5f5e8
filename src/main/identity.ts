/**
 * Owns the node key, an Ed25519 key in the data directory, and the node ID that follows from it (rulings 2). Main
 * thread. Version 1 of the protocol uses the ID alone; it proves nothing.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { NodeError } from '../shared/errors.js';

export const NODE_KEY_FILE = 'node-key.pem';

/** A PKCS8 PEM of an Ed25519 key has some 120 bytes. */
const KEY_FILE_BYTES_MAX = 4096;
const ID_HASH_BYTES = 20;
/** RFC 4648 section 6, in lower case. */
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The part of a node key that the program uses. */
export interface NodeKey {
  readonly nodeId: string;
  /** Path of the key file. */
  readonly file: string;
}

/**
 * The node key of a data directory, or null if it has none.
 * @throws NodeError ERR_PAW_DATA_DIR when others can read it, it is damaged or can't be read; the message says how to mend
 */
export function readNodeKey(directory: string): NodeKey | null {
  const file = path.join(directory, NODE_KEY_FILE);
  const pem = readPrivateFile(file);
  if (pem === null) return null;
  return { nodeId: nodeIdOf(parseKey(pem, file)), file };
}

/**
 * Makes a node key and puts it in place at once, whole and on disk, replacing one that is there. The caller holds the
 * data directory and has looked whether there is one.
 * @throws NodeError ERR_PAW_DATA_DIR when it can't be written
 */
export function createNodeKey(directory: string): NodeKey {
  const file = path.join(directory, NODE_KEY_FILE);
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    writeDurably(file, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  } catch (error) {
    throw unusable(`node key '${file}' can't be written (${codeOf(error)})`, error);
  }
  return { nodeId: nodeIdOf(privateKey), file };
}

/** The node key of a data directory that the caller holds, made at first start. */
export function readOrCreateNodeKey(directory: string): NodeKey {
  return readNodeKey(directory) ?? createNodeKey(directory);
}

/** The first 20 bytes of SHA-256 of the raw public key, in lower-case base32 without padding: 32 characters. */
export function nodeIdOf(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const publicKey = Buffer.from(x as string, 'base64url');
  return base32(createHash('sha256').update(publicKey).digest().subarray(0, ID_HASH_BYTES));
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let pending = 0;
  let bits = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(pending >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + BASE32[(pending << (5 - bits)) & 31];
}

/** Text of a file that only its owner can read, or null if there is none. */
function readPrivateFile(file: string): string | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw unusable(`node key '${file}' can't be read (${codeOf(error)})`, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > KEY_FILE_BYTES_MAX) throw damaged(file);
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw unusable(`node key '${file}' is open to others (mode ${mode}): close it with chmod 600 '${file}'`);
    }
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function parseKey(pem: string, file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw damaged(file, error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw damaged(file);
  return key;
}

/** After this the file is the old one or the new one, whatever is cut off when. */
function writeDurably(file: string, text: string): void {
  const temporary = `${file}.tmp`;
  rmSync(temporary, { force: true });
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const directoryFd = openSync(path.dirname(file), 'r');
  try {
    fsyncSync(directoryFd);
  } finally {
    closeSync(directoryFd);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function unusable(message: string, cause?: unknown): NodeError {
  return new NodeError('ERR_PAW_DATA_DIR', message, { cause });
}

function damaged(file: string, cause?: unknown): NodeError {
  const mend = "restore it from a copy, or make a new one, with a new node ID, with 'paw-p2p keygen --force'";
  return unusable(`node key '${file}' is damaged: ${mend}`, cause);
}
