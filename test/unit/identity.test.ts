/** The node key and the ID that follows from it. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNodeKey, NODE_KEY_FILE, nodeIdOf, readNodeKey, readOrCreateNodeKey } from '../../src/main/identity.js';

let directory: string;
let keyFile: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'paw-identity-'));
  keyFile = path.join(directory, NODE_KEY_FILE);
});
afterEach(() => rmSync(directory, { recursive: true }));

function failure(act: () => unknown): { code: string; message: string } {
  try {
    act();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('it went through');
}

describe('a node ID', () => {
  test('of a known key is known (RFC 8032 section 7.1, test 1)', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    const id = nodeIdOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    expect(id).toMatch(/^[a-z2-7]{32}$/);
    // Decoded by other means: five bits a letter, all of it one number.
    const bits = [...id].reduce(
      (sum, letter) => sum * 32n + BigInt('abcdefghijklmnopqrstuvwxyz234567'.indexOf(letter)),
      0n,
    );
    expect(bits.toString(16).padStart(40, '0')).toBe(createHash('sha256').update(publicKey).digest('hex').slice(0, 40));
  });
});

describe('a node key', () => {
  test('is made at first start and stays the same', () => {
    const first = readOrCreateNodeKey(directory);
    expect(first).toEqual({ nodeId: expect.stringMatching(/^[a-z2-7]{32}$/), file: keyFile });
    expect(readOrCreateNodeKey(directory)).toEqual(first);
    expect(readNodeKey(directory)).toEqual(first);
  });

  test('is a PKCS8 PEM of an Ed25519 key that only its owner can read, and nothing is left beside it', () => {
    createNodeKey(directory);
    expect(createPublicKey(readFileSync(keyFile)).asymmetricKeyType).toBe('ed25519');
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual([NODE_KEY_FILE]);
  });

  test('is private even when a half-written one lies there, open to all', () => {
    writeFileSync(`${keyFile}.tmp`, 'half', { mode: 0o644 });
    createNodeKey(directory);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  });

  test('that is missing reads as null', () => {
    expect(readNodeKey(directory)).toBeNull();
    expect(readNodeKey(path.join(directory, 'nowhere'))).toBeNull();
  });

  test('made again is another', () => {
    expect(createNodeKey(directory).nodeId).not.toBe(createNodeKey(directory).nodeId);
  });

  test.each([0o640, 0o604, 0o620, 0o777])('of mode %o is refused, with the command that mends it', (mode) => {
    createNodeKey(directory);
    chmodSync(keyFile, mode);
    const message = `node key '${keyFile}' is open to others (mode 0${mode.toString(8)}): close it with chmod 600 '${keyFile}'`;
    expect(failure(() => readNodeKey(directory))).toMatchObject({ code: 'ERR_PAW_DATA_DIR', message });
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  test.each([
    ['empty', ''],
    ['cut off', '-----BEGIN PRIVATE KEY-----\nMC4CAQAw'],
    ['of another kind', rsa as string],
    ['far too long', 'x'.repeat(100_000)],
  ])('that is %s is told on one line', (_, text) => {
    writeFileSync(keyFile, text, { mode: 0o600 });
    const { code, message } = failure(() => readOrCreateNodeKey(directory));
    expect(code).toBe('ERR_PAW_DATA_DIR');
    expect(message).toMatch(/^node key '.*' is damaged: restore it .* 'paw-p2p keygen --force'$/);
    expect(readFileSync(keyFile, 'utf8')).toBe(text);
  });

  test('that is a directory is told on one line, and so is one that can not be written', () => {
    mkdirSync(keyFile);
    expect(failure(() => readNodeKey(directory)).message).toMatch(/^node key '.*' is damaged: /);
    expect(failure(() => createNodeKey(directory)).message).toMatch(/^node key '.*' can't be written \(EISDIR\)$/);
    expect(failure(() => createNodeKey(path.join(directory, 'nowhere'))).message).toMatch(
      /can't be written \(ENOENT\)$/,
    );
  });
});
