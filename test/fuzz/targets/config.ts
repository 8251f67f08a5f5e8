/**
 * Configuration as operators write it: a TOML file, variables of the environment, flags and options of the library. An
 * input: [u8 which of them][text], and behind U+001E maybe another; other than for a file, a text is lines of
 * `NAME=VALUE`. Held against `reference/config.ts`: which source counts, and what is valid or means what. What is valid
 * prints as a file that gives the same settings again; what is not is a ConfigError of one line that names what is wrong.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseConfigText } from '../../../src/main/config/load.js';
import { environmentName, optionKeys } from '../../../src/main/config/options.js';
import { printSettings } from '../../../src/main/config/print.js';
import { type Host, resolveSettings, type Sources } from '../../../src/main/config/resolve.js';
import type { NodeOptions, Settings } from '../../../src/main/config/settings.js';
import { ConfigError } from '../../../src/shared/errors.js';
import { judge, type Said } from '../reference/config.js';
import { must, mustEqual, type Target, text } from '../target.js';

const host: Host = { cwd: '/work', homeDir: '/home', cores: 4, stdoutIsTerminal: false };
const FILE = '/etc/paw.toml';
/** By the first byte of a text. */
const WAYS = ['file', 'env', 'flags', 'library'] as const;
/** Ends a text, where another source speaks as well. It can't stand in TOML. */
export const SEPARATOR = '\x1e';

function valuesOf(lines: string): Record<string, unknown> {
  const pairs = lines.split('\n').map((line) => line.split('='));
  return Object.fromEntries(pairs.map(([name, ...rest]) => [name, rest.join('=')]));
}

/** Values of a library option are of any kind. */
function libraryValue(value: unknown): unknown {
  try {
    return JSON.parse(String(value));
  } catch {
    return value;
  }
}

/** @throws ConfigError for a file that is no TOML */
function saidOf(input: Uint8Array): Said {
  const said: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const part of Buffer.from(input).toString('latin1').split(SEPARATOR)) {
    const bytes = Buffer.from(part, 'latin1');
    const way = WAYS[(bytes[0] ?? 0) & 3];
    const written = bytes.toString('utf8', 1);
    if (way === 'file') said.file = parseConfigText(written, FILE);
    else said[way] = way === 'library' ? libraryValues(valuesOf(written)) : valuesOf(written);
  }
  // What has no name of the table is never looked up in the environment, and these two are no settings.
  if (said.env !== undefined) said.env = only(said.env, (key) => optionKeys.includes(key as never));
  if (said.library !== undefined) said.library = only(said.library, (key) => key !== 'types' && key !== 'logger');
  return said;
}

function libraryValues(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, libraryValue(value)]));
}

function only(values: Readonly<Record<string, unknown>>, isWanted: (key: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => isWanted(key)));
}

function sourcesOf({ file, env, flags, library }: Said): Sources {
  const variables = Object.entries(env ?? {}).map(([key, value]) => [environmentName(key as never), value]);
  return {
    env: Object.fromEntries(variables) as Record<string, string>,
    ...(file && { file: { path: FILE, values: file } }),
    ...(flags && { flags }),
    ...(library && { library: library as NodeOptions }),
  };
}

function caught<T>(read: () => T): T | ConfigError {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

/** Fails unless the program finds wrong what the reference does, and means by the rest the same. */
function compare(said: Said, found: Settings | ConfigError): void {
  const { wrong, unread, settings } = judge(said);
  if (found instanceof ConfigError) {
    must(wrong.has(found.key) || unread.has(found.key), () => `${found.key} is right: ${found.message}`);
    return;
  }
  must(wrong.size === 0, () => `taken, though wrong: ${[...wrong].join()}`);
  for (const [name, value] of Object.entries(settings)) mustEqual(name, found[name as keyof Settings], value);
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const said = caught(() => saidOf(input));
  const settings = said instanceof ConfigError ? said : caught(() => resolveSettings(sourcesOf(said), host));
  if (!(said instanceof ConfigError)) compare(said, settings);
  const way = (input[0] ?? 0) & 3;
  if (settings instanceof ConfigError) {
    const { key, message } = settings;
    must(typeof key === 'string', () => 'no key is named');
    must(!/[\p{Cc}\u2028\u2029]/u.test(message) && message.length < 700, () => `the message is '${message}'`);
    note(optionKeys.indexOf(key as never) * 4 + way);
    return;
  }
  note(1000 + 4 * Object.keys(said).length + way);
  if (settings.adminToken !== null) return;
  const printed = printSettings(settings);
  const again = caught(() => resolveSettings({ file: { path: FILE, values: parseConfigText(printed, FILE) } }, host));
  must(!(again instanceof ConfigError), () => `what it prints is refused: ${(again as ConfigError).message}`);
  if (!isDeepStrictEqual(again, settings)) mustEqual('settings that were printed and read', again, settings);
}

export const config: Target = {
  name: 'config',
  sources: [
    'src/main/config/load',
    'src/main/config/resolve',
    'src/main/config/kinds',
    'src/main/config/print',
    'src/main/config/duration',
    'src/main/config/size',
    'src/main/config/nearest',
    'src/main/config/wrong-value',
    'src/main/net/address',
  ],
  maxBytes: 2048,
  dictionary: text(
    ...optionKeys,
    ...[
      '=',
      ' = "',
      '"\n',
      '[]',
      '[[',
      '{',
      '}',
      'true',
      'false',
      'null',
      'off',
      'auto',
      '1e999',
      'nan',
      '-inf',
      '0x10',
      '"""',
    ],
    ...[
      '5s',
      '0ms',
      '24h',
      '64KiB',
      '1GiB',
      'low-resource',
      'high-traffic',
      '~/',
      'file:///a.mjs',
      '127.0.0.1:1',
      '[::]:0',
    ],
    ...[
      'a@b:1',
      'tx=3',
      '1979-05-27T07:32:00Z',
      '__proto__',
      'constructor',
      '\\u0000',
      '\\ud800',
      '\0',
      '\u2028',
      '\ud7ff',
      ...[0, 1, 2, 3].map((way) => `${SEPARATOR}${way}`),
    ],
  ),
  beginnings: text(
    ...optionKeys.map((key) => `0${key} = "5s"\n`),
    '0chain-id = "c"\nmaxPeers = 20\nlisten = "[::1]:5"\nseeds = ["a:1", "id@b:2"]\nrelay = ["tx", "block=3"]\n',
    '0preset = "low-resource"\n[table]\na = 1\n',
    '1chainId=c\nmaxPeers=20\nrelay=tx,block=3\nadmin=off\n',
    '2dataDir=~/x\nhandlers=a.mjs\nlogLevel=debug\nringSize=auto\nbackoffJitter=0.5\n',
    '3maxPeers=5\ndialTimeout=2500\nseeds=["a:1"]\npex=false\nmemoryBudget=16777216\nhandlers=["/a.mjs"]\n',
    `0chain-id = "file"\npreset = "low-resource"${SEPARATOR}1chainId=env\nmaxPeers=7${SEPARATOR}2chainId=flag\nringSize=8KiB`,
    `3dialTimeout=1500\nmaxInbound=3${SEPARATOR}1dialTimeout=1.5m\nmaxInbound=4${SEPARATOR}0dial_timeout = "2s"`,
    '3receiveRate="1MiB"\nsendRate="off"\nreceiveMessages=10\nsendMessages=null\nworkers=2\n',
  ),
  run,
};
