/**
 * Configuration as operators write it: a TOML file, variables of the environment, flags and options of the library. An
 * input: [u8 which of them][text]; other than for a file, the text is lines of `NAME=VALUE`. What is valid prints as a
 * file that gives the same settings again; what is not is a ConfigError of one line that names what is wrong.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseConfigText } from '../../../src/main/config/load.js';
import { environmentName, optionKeys } from '../../../src/main/config/options.js';
import { printSettings } from '../../../src/main/config/print.js';
import { type Host, resolveSettings, type Sources } from '../../../src/main/config/resolve.js';
import type { NodeOptions, Settings } from '../../../src/main/config/settings.js';
import { ConfigError } from '../../../src/shared/errors.js';
import { must, mustEqual, type Target, text } from '../target.js';

const host: Host = { cwd: '/work', homeDir: '/home', cores: 4, stdoutIsTerminal: false };
const FILE = '/etc/paw.toml';
const WAYS = ['file', 'env', 'flags', 'library'] as const;

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

function sourcesOf(way: (typeof WAYS)[number], written: string): Sources {
  if (way === 'file') return { file: { path: FILE, values: parseConfigText(written, FILE) } };
  const values = valuesOf(written);
  if (way === 'flags') return { flags: values };
  if (way === 'env') {
    const named = optionKeys
      .filter((key) => Object.hasOwn(values, key))
      .map((key) => [environmentName(key), values[key]]);
    return { env: Object.fromEntries(named) as Record<string, string> };
  }
  const options = Object.entries(values).map(([key, value]) => [key, libraryValue(value)]);
  return { library: Object.fromEntries(options) as NodeOptions };
}

function resolved(sources: () => Sources): Settings | ConfigError {
  try {
    return resolveSettings(sources(), host);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function run(input: Uint8Array, note: (what: number) => void): void {
  const way = WAYS[(input[0] ?? 0) & 3];
  const written = Buffer.from(input.subarray(1)).toString();
  const settings = resolved(() => sourcesOf(way, written));
  if (settings instanceof ConfigError) {
    const { key, message } = settings;
    must(typeof key === 'string', () => 'no key is named');
    must(!/[\p{Cc}\u2028\u2029]/u.test(message) && message.length < 700, () => `the message is '${message}'`);
    note(optionKeys.indexOf(key as never) * 4 + WAYS.indexOf(way));
    return;
  }
  note(1000 + WAYS.indexOf(way));
  if (settings.adminToken !== null) return;
  const printed = printSettings(settings);
  const again = resolved(() => ({ file: { path: FILE, values: parseConfigText(printed, FILE) } }));
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
    ],
  ),
  beginnings: text(
    ...optionKeys.map((key) => `0${key} = "5s"\n`),
    '0chain-id = "c"\nmaxPeers = 20\nlisten = "[::1]:5"\nseeds = ["a:1", "id@b:2"]\nrelay = ["tx", "block=3"]\n',
    '0preset = "low-resource"\n[table]\na = 1\n',
    '1chainId=c\nmaxPeers=20\nrelay=tx,block=3\nadmin=off\n',
    '2dataDir=~/x\nhandlers=a.mjs\nlogLevel=debug\nringSize=auto\nbackoffJitter=0.5\n',
    '3maxPeers=5\ndialTimeout=2500\nseeds=["a:1"]\npex=false\nmemoryBudget=16777216\nhandlers=["/a.mjs"]\n',
    '3receiveRate="1MiB"\nsendRate="off"\nreceiveMessages=10\nsendMessages=null\nworkers=2\n',
  ),
  run,
};
