/** The command line without a node: keys, printed configuration, errors of usage. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parse } from 'smol-toml';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildProgram } from '../../../src/main/cli/program.js';
import { openDataDir } from '../../../src/main/data-dir.js';
import { run } from './run.js';

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'paw-cli-'));
  for (const name of Object.keys(process.env)) if (name.startsWith('PAW_')) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(dataDir, { recursive: true });
});

describe('keygen and id', () => {
  test('make a key and show its ID', async () => {
    const made = await run('keygen', '--data-dir', dataDir);
    expect(made).toEqual({ code: 0, out: expect.stringMatching(/^[a-z2-7]{32}\n$/), err: '' });
    expect(await run('id', '--data-dir', dataDir)).toEqual(made);
    vi.stubEnv('PAW_DATA_DIR', dataDir);
    expect(await run('id')).toEqual(made);
  });

  test('id without a key tells how to make one', async () => {
    const err = `paw-p2p: there is no node key in '${dataDir}': make one with 'paw-p2p keygen', or start a node\n`;
    expect(await run('id', '--data-dir', dataDir)).toEqual({ code: 1, out: '', err });
  });

  test('keygen replaces a key only when forced to', async () => {
    const { out } = await run('keygen', '--data-dir', dataDir);
    const refused = await run('keygen', '--data-dir', dataDir);
    expect(refused).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^paw-p2p: there is a node key already, .*--force.*\n$/),
    });
    expect((await run('id', '--data-dir', dataDir)).out).toBe(out);
    const forced = await run('keygen', '--data-dir', dataDir, '--force');
    expect(forced.code).toBe(0);
    expect(forced.out).not.toBe(out);
  });

  test('keygen leaves the key of a running node alone', async () => {
    const held = await openDataDir(dataDir);
    const { code, err } = await run('keygen', '--data-dir', dataDir, '--force');
    expect([code, err]).toEqual([
      1,
      `paw-p2p: data directory '${dataDir}' is in use by another node (pid ${process.pid})\n`,
    ]);
    held.release();
  });

  test('id refuses a key that others can read', async () => {
    await run('keygen', '--data-dir', dataDir);
    chmodSync(path.join(dataDir, 'node-key.pem'), 0o644);
    expect(await run('id', '--data-dir', dataDir)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^[^\n]*chmod 600[^\n]*\n$/),
    });
  });
});

describe('node --print-config', () => {
  test('prints the effective configuration and starts nothing', async () => {
    const config = path.join(dataDir, 'node.toml');
    writeFileSync(config, 'preset = "low-resource"\nchain-id = "from-file"\nmax_inbound = 5\n');
    vi.stubEnv('PAW_MAX_OUTBOUND', '6');
    const args = [
      '--config',
      config,
      '--chain-id',
      'from-flag',
      '--handlers',
      'a.js',
      '--handlers',
      'b,c.js',
      '--listen',
      '[::1]:0',
    ];
    const { code, out, err } = await run('node', '--print-config', ...args);
    expect([code, err]).toEqual([0, '']);
    expect(parse(out)).toMatchObject({
      preset: 'low-resource',
      chainId: 'from-flag',
      maxPeers: 20,
      maxInbound: 5,
      maxOutbound: 6,
      listen: '[::1]:0',
      handlers: ['a.js', 'b,c.js'].map((name) => expect.stringMatching(new RegExp(`^file:///.*/${name}$`))),
    });
    const again = path.join(dataDir, 'again.toml');
    writeFileSync(again, out);
    vi.unstubAllEnvs();
    expect((await run('node', '--print-config', '--config', again)).out).toBe(readFileSync(again, 'utf8'));
  });
});

describe('wrong usage', () => {
  test.each<[string[], string]>([
    [['node', '--max-peers', '0'], "maxPeers is '0' (--max-peers): must be a whole number from 1 to 10000"],
    [
      ['node', '--config', '/nowhere.toml'],
      "config is '/nowhere.toml' (--config): must be a file that can be read (ENOENT)",
    ],
    [['node', '--max-pears', '3'], "unknown option '--max-pears' (Did you mean --max-peers?)"],
    [['node', '--listen'], "option '--listen <HOST:PORT>' argument missing"],
    [['node', 'extra'], "too many arguments for 'node'. Expected 0 arguments but got 1."],
    [['nodes'], "unknown command 'nodes' (Did you mean node?)"],
    [['send', '127.0.0.1:1'], "required option '--type <TYPE>' not specified"],
    [
      ['send', 'nonsense', '--type', 'tx'],
      "address is 'nonsense' (argument): must be HOST:PORT or ID@HOST:PORT with a port from 1 to 65535",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'a\nb'],
      "type is 'a\\nb' (--type): must be 1 to 255 bytes of UTF-8 without control characters",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'tx', '--hex', 'abc'],
      "hex is 'abc' (--hex): must be pairs of hexadecimal digits",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'tx', '--file', '/nowhere'],
      "file is '/nowhere' (--file): must be a file that can be read (ENOENT)",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'tx', '--count', '0'],
      "count is '0' (--count): must be a whole number from 1 to 1000000000",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'tx', '--timeout', '5'],
      "timeout is '5' (--timeout): must be a duration from 1ms to 1h, such as 500ms, 5s, 5m or 1h",
    ],
    [
      ['send', '127.0.0.1:1', '--type', 'tx', '--data', 'a', '--hex', '00'],
      "option '--data <TEXT>' cannot be used with option '--hex <HEX>'",
    ],
    [
      ['tap', '127.0.0.1:0'],
      "address is '127.0.0.1:0' (argument): must be HOST:PORT or ID@HOST:PORT with a port from 1 to 65535",
    ],
    [
      ['tap', '127.0.0.1:1', '--chain-id', ''],
      "chainId is '' (--chain-id): must be text of 1 to 32 bytes without control characters",
    ],
    [['status', '--admin', 'off'], "admin is 'off': must be the HOST:PORT of a running node"],
    [['peers', '--admin', 'off'], "admin is 'off': must be the HOST:PORT of a running node"],
    [
      ['bans', '--admin', 'here'],
      "admin is 'here' (--admin): must be 'off' or HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:26660",
    ],
    [
      ['bans', '--admin-token', 'a b'],
      'adminToken is not valid (--admin-token): must be 1 to 256 printable ASCII characters without spaces',
    ],
    [['dial'], "missing required argument 'address'"],
    [
      ['dial', 'nonsense'],
      "address is 'nonsense' (argument): must be HOST:PORT or ID@HOST:PORT with a port from 1 to 65535",
    ],
    [['disconnect', ''], "id is '' (argument): must be text of 1 to 32 bytes without control characters"],
    [['ban'], "missing required argument 'target'"],
    [['unban', 'a', 'b'], "too many arguments for 'unban'. Expected 1 argument but got 2."],
    [
      ['ban', '0.0.0.0/0'],
      "target is '0.0.0.0/0' (argument): must be an IP address, a CIDR range such as 1.2.3.0/24, or id:NODEID",
    ],
    [
      ['unban', 'nobody'],
      "target is 'nobody' (argument): must be an IP address, a CIDR range such as 1.2.3.0/24, or id:NODEID",
    ],
    [['ban', '1.2.3.4', '--for', 'x'], "for is 'x': must be a duration such as 24h or 30d, or forever"],
    [['history', '--limit', '0'], "limit is '0' (--limit): must be a whole number from 1 to 10000"],
    [
      ['history', '--code', '0x100'],
      "code is '0x100' (--code): must be an error code: a number from 0 to 255, 0x00 to 0xFF, or a name such as HandshakeTimeout",
    ],
    [['crawl'], "missing required argument 'address'"],
    [
      ['crawl', '127.0.0.1:1', '127.0.0.1'],
      "address is '127.0.0.1' (argument): must be HOST:PORT or ID@HOST:PORT with a port from 1 to 65535",
    ],
    [
      ['crawl', '127.0.0.1:1', '--timeout', '0s'],
      "timeout is '0s' (--timeout): must be a duration from 1ms to 1h, such as 500ms, 5s, 5m or 1h",
    ],
  ])('%j is told on one line, with exit code 2', async (args, message) => {
    expect(await run(...args)).toEqual({ code: 2, out: '', err: `paw-p2p: ${message}\n` });
  });

  test('a payload too large for a frame is refused before anything is dialled', async () => {
    const file = path.join(dataDir, 'large');
    writeFileSync(file, Buffer.alloc(10 * 1024 * 1024));
    const { code, err } = await run('send', '127.0.0.1:1', '--type', 'tx', '--file', file);
    expect([code, err]).toEqual([2, 'paw-p2p: payload is 10485760 bytes: must be at most 10485756 with this type\n']);
  });
});

describe('help and version', () => {
  test('go to standard output with exit code 0', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    const help = await run('node', '--help');
    expect(help.code).toBe(0);
    for (const flag of [
      '--config',
      '--print-config',
      '--preset',
      '--memory-budget',
      '--admin-token',
      '--seeds',
      '--no-pex',
    ])
      expect(help.out).toContain(`${flag}`);
    // A flag that says no tells what it does, and has no default.
    expect(help.out.replace(/\s+/g, ' ')).toContain(
      '--no-pex exchange no addresses with peers; answer crawls with an empty list --',
    );
    for (const later of ['--ring-size', '--frame-timeout']) expect(help.out).not.toContain(later);
  });
});

test('help of a command that asks a node says that it takes an address, not off', async () => {
  const program = buildProgram();
  const asking = program.commands.filter(({ options }) => options.some(({ long }) => long === '--admin'));
  const flags = asking.map((command) => [
    command.name(),
    command.options.find(({ long }) => long === '--admin')?.flags,
  ]);
  expect(flags.filter(([name]) => name !== 'node').length).toBeGreaterThan(8);
  for (const [name, flag] of flags) {
    expect([name, flag]).toEqual([name, name === 'node' ? '--admin <HOST:PORT|off>' : '--admin <HOST:PORT>']);
  }
});

describe('status', () => {
  test('without a node is told on one line', async () => {
    const server = http.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const err = `paw-p2p: no node answers on 127.0.0.1:${port} (ECONNREFUSED): start one, or name its address with --admin\n`;
    expect(await run('status', '--admin', `127.0.0.1:${port}`)).toEqual({ code: 1, out: '', err });
  });

  test('tells a refusal, and an answer that is none', async () => {
    const answers = [
      [401, '{"error":"unauthorized","message":"a token is needed"}'],
      [502, 'proxy'],
      [200, '<html>'],
    ] as const;
    let next = 0;
    const server = http.createServer((_request, response) => {
      const [status, text] = answers[next++]!;
      response.writeHead(status).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const errors = [];
    for (const _ of answers) errors.push((await run('status', '--admin', at)).err);
    expect(errors).toEqual([
      `paw-p2p: the node on ${at} refuses: a token is needed\n`,
      `paw-p2p: the node on ${at} refuses: HTTP status 502\n`,
      `paw-p2p: what answers on ${at} is not a PAW node: name its address with --admin\n`,
    ]);
    server.closeAllConnections();
    server.close();
  });
});
