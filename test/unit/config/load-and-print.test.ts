/** Configuration files: reading them, and printing settings as one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LoadInput, loadSettings } from '../../../src/main/config/load.js';
import { configurationTable, environmentName, flagName, optionKeys } from '../../../src/main/config/options.js';
import { printSettings } from '../../../src/main/config/print.js';
import type { Host } from '../../../src/main/config/resolve.js';

const host: Host = { cwd: '/', homeDir: '/home/paw', cores: 2, stdoutIsTerminal: false };
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'paw-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileWith(text: string): string {
  const filePath = path.join(directory, 'node.toml');
  writeFileSync(filePath, text);
  return filePath;
}

const load = (input: LoadInput) => loadSettings(input, host);

describe('a configuration file', () => {
  test('is TOML', () => {
    const configFile = fileWith('chainId = "paw-test" # comment\nmaxPeers = 60\nhandlers = ["./tx.js"]\n');
    expect(load({ configFile })).toMatchObject({
      chainId: 'paw-test',
      maxPeers: 60,
      handlers: [`file://${directory}/tx.js`],
    });
  });

  test('that is missing is told on one line', () => {
    expect(() => load({ configFile: '/nowhere/node.toml' })).toThrow(
      "config is '/nowhere/node.toml' (--config): must be a file that can be read (ENOENT)",
    );
  });

  test('that is not TOML is told on one line, with the line of the fault', () => {
    expect(() => load({ configFile: fileWith('chainId = "a"\nmaxPeers = = 3\n') })).toThrow(
      /^config is '.*' \(--config\): must be TOML; line 2: [^\n]+$/,
    );
  });

  test.each(['', 'maxPeers = 9007199254740993\n', '[p2p]\nlisten = "a:1"\n', 'chainId = 1979-05-27\n'])(
    '%j gives settings or one line',
    (text) => {
      try {
        load({ configFile: fileWith(text) });
      } catch (error) {
        expect((error as Error).name).toBe('ConfigError');
        expect((error as Error).message).not.toContain('\n');
      }
    },
  );
});

describe('printed settings', () => {
  test.each<LoadInput>([
    {},
    { flags: { preset: 'high-traffic', nodeId: 'we "quote" \\ things', admin: 'off', logFormat: 'pretty' } },
    {
      flags: {
        persistentPeers: 'a@[::1]:5,b.example:6',
        unconditionalPeerIds: 'a,b',
        handlers: ['/opt/a b.js', '/opt/é.js'],
      },
      env: { PAW_FRAME_TIMEOUT: '1.5s', PAW_SEND_QUEUE: '70000', PAW_BACKOFF_JITTER: '0', PAW_WORKERS: '3' },
    },
  ])('read back as the same settings: %j', (input) => {
    const settings = load(input);
    expect(load({ configFile: fileWith(printSettings(settings)) })).toEqual(settings);
  });

  test('have every option, and not the token', () => {
    const text = printSettings(load({ flags: { adminToken: 'hunter2' } }));
    for (const key of optionKeys) expect(text).toMatch(new RegExp(`^(# )?${key}( =|:) `, 'm'));
    expect(text).not.toContain('hunter2');
  });
});

test('the table for the README has a row for every option with its flag and variable', () => {
  const rows = configurationTable().trimEnd().split('\n');
  expect(rows).toHaveLength(optionKeys.length + 2);
  expect(configurationTable()).toContain(
    '| `maxPeers` | `--max-peers` | `PAW_MAX_PEERS` | 100 (200 with high-traffic, 20 with low-resource) |',
  );
  expect([flagName('unconditionalPeerIds'), environmentName('unconditionalPeerIds')]).toEqual([
    '--unconditional-peer-ids',
    'PAW_UNCONDITIONAL_PEER_IDS',
  ]);
});
