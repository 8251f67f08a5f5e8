/** Merging of configuration sources, and what each wrong value is told. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Host, resolveSettings, type Sources } from '../../../src/main/config/resolve.js';
import { defaultSeeds } from '../../../src/main/config/seeds.js';
import type { NodeOptions } from '../../../src/main/config/settings.js';
import { geometryOf } from '../../../src/main/geometry.js';
import { formatHostPort, formatPeerAddress } from '../../../src/main/net/address.js';
import { ConfigError } from '../../../src/shared/errors.js';

const host: Host = { cwd: '/work', homeDir: '/home/paw', cores: 8, stdoutIsTerminal: false };

const resolve = (sources: Sources, on: Host = host) => resolveSettings(sources, on);
const file = (values: Record<string, unknown>) => ({ file: { path: '/etc/paw/node.toml', values } });

function failure(sources: Sources): ConfigError {
  try {
    resolve(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('precedence', () => {
  const five = {
    flags: { maxPeers: '5' },
    env: { PAW_MAX_PEERS: '4' },
    file: { path: '/etc/paw/node.toml', values: { maxPeers: 3, preset: 'low-resource' } },
  };

  test('a flag wins over environment, file, preset and default', () => {
    expect(resolve(five).maxPeers).toBe(5);
  });
  test('the environment wins over file, preset and default', () => {
    expect(resolve({ ...five, flags: {} }).maxPeers).toBe(4);
  });
  test('the file wins over preset and default', () => {
    expect(resolve({ file: five.file }).maxPeers).toBe(3);
  });
  test('the preset wins over the default', () => {
    expect(resolve(file({ preset: 'low-resource' })).maxPeers).toBe(20);
  });
  test('the default stands when nothing else is said', () => {
    expect(resolve({}).maxPeers).toBe(100);
  });
  test('options of the library win over environment and file, and flags over them', () => {
    expect(resolve({ ...five, flags: {}, library: { maxPeers: 7 } }).maxPeers).toBe(7);
    expect(resolve({ ...five, library: { maxPeers: 7 } }).maxPeers).toBe(5);
  });
  test('a preset may itself come from any source, the highest one', () => {
    expect(resolve({ ...file({ preset: 'low-resource' }), env: { PAW_PRESET: 'high-traffic' } }).maxPeers).toBe(200);
  });
  test('undefined and null say nothing', () => {
    expect(
      resolve({ flags: { chainId: undefined }, library: { nodeId: null }, ...file({ chainId: 'a' }) }).chainId,
    ).toBe('a');
  });
});

describe('defaults', () => {
  test('are those of section 10.1 of the specification, and of the rulings where it says nothing', () => {
    expect(resolve({})).toEqual({
      preset: 'default',
      chainId: 'paw-mainnet',
      nodeId: null,
      dataDir: '/home/paw/.paw/p2p',
      listen: { host: '::', port: 26656 },
      admin: { host: '127.0.0.1', port: 26660 },
      adminToken: null,
      externalAddress: null,
      seeds: defaultSeeds,
      persistentPeers: [],
      privatePeerIds: [],
      unconditionalPeerIds: [],
      maxPeers: 100,
      maxInbound: 50,
      maxOutbound: 50,
      minOutbound: 10,
      maxPerSubnet: 10,
      pex: true,
      pexIntervalMs: 30_000,
      feelerIntervalMs: 120_000,
      seedMode: false,
      strictAddresses: true,
      crawlGraceMs: 300,
      relay: [],
      gossipCacheBytes: 4 * 2 ** 20,
      receiveRateBytes: null,
      receiveRateMessages: null,
      sendRateBytes: null,
      sendRateMessages: null,
      workers: 4,
      workerTimeoutMs: 10_000,
      workerHeapBytes: 512 * 2 ** 20,
      handlers: [],
      dialTimeoutMs: 5000,
      handshakeTimeoutMs: 10_000,
      readTimeoutMs: 30_000,
      writeTimeoutMs: 5000,
      pingIntervalMs: 30_000,
      inactivityTimeoutMs: 300_000,
      frameTimeoutMs: 60_000,
      shutdownTimeoutMs: 4000,
      backoffJitter: 0.2,
      sendQueueBytes: 8 * 2 ** 20,
      memoryBudgetBytes: 512 * 2 ** 20,
      ringBytes: null,
      outboundRingBytes: 2 ** 20,
      logLevel: 'info',
      logFormat: 'json',
      logFile: null,
    });
  });

  test('of seeds are those of section 2.2 for paw-mainnet alone, in its order', () => {
    const seeds = (flags: Record<string, unknown>) => resolve({ flags }).seeds.map(formatHostPort);
    expect(seeds({})).toEqual([
      'seed1.paw.network:26656',
      'seed2.paw.network:26656',
      'seed3.paw.network:26656',
      '35.184.142.101:26656',
      '34.89.156.233:26656',
      '35.201.123.45:26656',
      'seed-us-west.paw.network:26656',
      'seed-eu-central.paw.network:26656',
      'seed-asia-east.paw.network:26656',
    ]);
    expect(seeds({ chainId: 'another' })).toEqual([]);
    expect(seeds({ seeds: '' })).toEqual([]);
    expect(seeds({ chainId: 'another', seeds: '[::1]:5' })).toEqual(['[::1]:5']);
  });

  test.each([
    [{ maxPeers: 100 }, 2 * 2 ** 20],
    [{ preset: 'high-traffic' }, 2 ** 20],
    [{ maxPeers: 100, memoryBudget: '4GiB' }, 8 * 2 ** 20],
    [{ maxPeers: 10_000, memoryBudget: '64GiB' }, 128 * 1024],
    [{ maxPeers: 1000 }, 256 * 1024],
    [{ maxPeers: 10_000, maxInbound: 10_000 }, 16 * 1024],
    [{ maxPeers: 1000, memoryBudget: '4GiB' }, 2 ** 20],
    [{ preset: 'low-resource' }, 64 * 1024],
  ])('of rings fit the memory budget: %j', (flags, ringBytes) => {
    expect(geometryOf(resolve({ flags })).ringBytes).toBe(ringBytes);
  });

  test('of rates are off, but 1 MiB/s each way for low-resource', () => {
    expect(resolve({ flags: { preset: 'low-resource' } })).toMatchObject({
      receiveRateBytes: 2 ** 20,
      sendRateBytes: 2 ** 20,
      receiveRateMessages: null,
      gossipCacheBytes: 2 ** 20,
    });
    expect(resolve({ flags: { preset: 'low-resource', sendRate: 'off' } }).sendRateBytes).toBeNull();
  });

  test('bend where one limit is lowered alone', () => {
    expect(resolve({ flags: { maxPeers: 4 } })).toMatchObject({ maxOutbound: 4, minOutbound: 4 });
    expect(resolve({ flags: { maxOutbound: 2 } }).minOutbound).toBe(2);
    expect(resolve({ flags: { handshakeTimeout: '100ms' } }).crawlGraceMs).toBe(50);
  });

  test.each([
    [{ minOutbound: 51 }, /^minOutbound is 51 .*: must be at most maxOutbound, which is 50$/],
    [{ externalAddress: '1.2.3.4:0' }, /^externalAddress is .*: must be HOST:PORT with a port from 1/],
    [{ crawlGrace: '10s' }, /^crawlGrace is '10s' .*: must be shorter than handshakeTimeout/],
    [{ relay: 'ping' }, /^relay is 'ping' .*: must be different message types that are not the protocol's own/],
    [{ relay: 'tx,tx=4' }, /^relay is/],
    [{ relay: 'tx=99999' }, /^relay is/],
    [{ pex: 'maybe' }, /^pex is 'maybe' .*: must be true or false$/],
    [{ receiveRate: 'fast' }, /^receiveRate is 'fast' .*: must be 'off' or a size/],
    [{ gossipCache: '3MiB' }, /^gossipCache is .*: must be a power of two/],
  ])('give way to %j only if it is right', (flags, message) => {
    expect(() => resolve({ flags })).toThrow(message);
  });

  test('of relay fan-out is all', () => {
    expect(resolve({ flags: { relay: 'block,tx=4,a=b=all' } }).relay).toEqual([
      { type: 'block', fanout: 'all' },
      { type: 'tx', fanout: 4 },
      { type: 'a=b', fanout: 'all' },
    ]);
  });

  test.each([
    ['default', 100, 50, 50],
    ['high-traffic', 200, 100, 100],
    ['low-resource', 20, 10, 10],
  ])('of preset %s are %d peers, %d inbound, %d outbound', (preset, maxPeers, maxInbound, maxOutbound) => {
    expect(resolve({ flags: { preset } })).toMatchObject({ preset, maxPeers, maxInbound, maxOutbound });
  });

  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [64, 4],
  ])('on %d cores are %d workers', (cores, workers) => {
    expect(resolve({ flags: { workers: 'auto' } }, { ...host, cores }).workers).toBe(workers);
  });

  test('on a terminal are pretty log lines', () => {
    expect(resolve({}, { ...host, stdoutIsTerminal: true }).logFormat).toBe('pretty');
    expect(resolve({ flags: { logFile: 'log' } }, { ...host, stdoutIsTerminal: true }).logFormat).toBe('json');
  });

  test('of inbound and outbound limits shrink to a smaller maxPeers', () => {
    expect(resolve({ flags: { maxPeers: '30' } })).toMatchObject({ maxPeers: 30, maxInbound: 30, maxOutbound: 30 });
  });
});

describe('values', () => {
  test('are the same from flags, environment, file and library', () => {
    const expected = resolve(
      file({ persistentPeers: ['a@1.2.3.4:5', '[::1]:6'], dialTimeout: '2s', workers: 2, sendQueue: '1MiB' }),
    );
    expect(
      resolve({
        flags: { persistentPeers: 'a@1.2.3.4:5, [::1]:6', dialTimeout: '2s', workers: '2', sendQueue: '1048576' },
      }),
    ).toEqual(expected);
    expect(
      resolve({
        env: {
          PAW_PERSISTENT_PEERS: 'a@1.2.3.4:5,[::1]:6',
          PAW_DIAL_TIMEOUT: '2000ms',
          PAW_WORKERS: '2',
          PAW_SEND_QUEUE: '1MiB',
        },
      }),
    ).toEqual(expected);
    expect(
      resolve({
        library: { persistentPeers: ['a@1.2.3.4:5', '[::1]:6'], dialTimeout: 2000, workers: 2, sendQueue: 2 ** 20 },
      }),
    ).toEqual(expected);
    expect(expected.persistentPeers).toEqual([
      { id: 'a', host: '1.2.3.4', port: 5 },
      { id: null, host: '::1', port: 6 },
    ]);
  });

  test('of addresses have one spelling, however they were typed, and none is there twice', () => {
    const persistentPeers = ['x@[2001:DB8:0::1]:5', '[::ffff:1.2.3.4]:6', 'Hub.example:7'];
    const resolved = resolve(file({ persistentPeers, listen: '[0:0::0]:8', externalAddress: '[2001:db8:0:0::2]:9' }));
    expect(resolved.persistentPeers.map(formatPeerAddress)).toEqual([
      'x@[2001:db8::1]:5',
      '1.2.3.4:6',
      'Hub.example:7',
    ]);
    expect(resolved.listen).toEqual({ host: '::', port: 8 });
    expect(resolved.externalAddress).toEqual({ host: '2001:db8::2', port: 9 });
    expect(failure(file({ seeds: ['[2001:db8::1]:5', '[2001:DB8::0:1]:5'] })).key).toBe('seeds');
  });

  test('of the file may be spelled in kebab or snake case', () => {
    expect(resolve(file({ 'chain-id': 'a', max_peers: 60 }))).toMatchObject({ chainId: 'a', maxPeers: 60 });
  });

  test('of paths start from the directory of the file that names them, or from the working directory', () => {
    expect(resolve(file({ dataDir: 'data', handlers: ['tx.js'] }))).toMatchObject({
      dataDir: '/etc/paw/data',
      handlers: ['file:///etc/paw/tx.js'],
    });
    expect(resolve({ flags: { dataDir: 'data', handlers: ['a,b.js', '~/tx.js'] } })).toMatchObject({
      dataDir: '/work/data',
      handlers: ['file:///work/a,b.js', 'file:///home/paw/tx.js'],
    });
    expect(resolve({ library: { handlers: [new URL('file:///opt/a%20b.js')] } }).handlers).toEqual([
      'file:///opt/a%20b.js',
    ]);
  });

  test('of paths in the home directory have one spelling, whatever slashes stand in them', () => {
    for (const [dataDir, path] of [
      ['~', '/home/paw'],
      ['~/', '/home/paw'],
      ['~//', '/home/paw'],
      ['~//a//b/', '/home/paw/a/b'],
      ['~/../x', '/home/x'],
      ['~a', '/work/~a'],
    ]) {
      expect(resolve({ flags: { dataDir } }).dataDir).toBe(path);
    }
  });

  test('admin off means none', () => {
    expect(resolve({ flags: { admin: 'off' } }).admin).toBeNull();
  });

  test('admin off loopback is accepted with a token', () => {
    expect(resolve({ flags: { admin: '0.0.0.0:1', adminToken: 's3cret' } }).admin).toEqual({
      host: '0.0.0.0',
      port: 1,
    });
  });

  test.each(['localhost:1', '127.8.9.1:1', '[::1]:1', '[::ffff:127.0.0.1]:1'])(
    'admin on %s needs no token',
    (admin) => {
      expect(resolve({ flags: { admin } }).admin).not.toBeNull();
    },
  );

  test.each(['[::]:1', '10.0.0.1:1', 'node.example:1', '[fe80::1]:1'])('admin on %s needs a token', (admin) => {
    expect(failure({ flags: { admin } }).key).toBe('admin');
  });

  test('chain IDs fill their field to the last byte', () => {
    expect(resolve({ flags: { chainId: 'é'.repeat(16) } }).chainId).toBe('é'.repeat(16));
  });
});

describe('a wrong value', () => {
  const duration = 'must be a duration from 1ms to 24h, such as 500ms, 5s, 5m or 1h';
  const nodeId = "1 to 32 printable ASCII characters without '@'";
  const limit = (key: string) =>
    [
      { [key]: '101' },
      `${key} is '101' (--max-${key.slice(3).toLowerCase()}): must be at most maxPeers, which is 100`,
    ] as const;

  test.each<readonly [Record<string, unknown>, string]>([
    [{ preset: 'fast' }, "preset is 'fast' (--preset): must be one of default, high-traffic, low-resource"],
    [{ chainId: '' }, "chainId is '' (--chain-id): must be text of 1 to 32 bytes without control characters"],
    [
      { chainId: 'é'.repeat(17) },
      `chainId is '${'é'.repeat(17)}' (--chain-id): must be text of 1 to 32 bytes without control characters`,
    ],
    [{ chainId: 'a\nb' }, "chainId is 'a\\nb' (--chain-id): must be text of 1 to 32 bytes without control characters"],
    [{ nodeId: 'a@b' }, `nodeId is 'a@b' (--node-id): must be ${nodeId}`],
    [{ nodeId: 'x'.repeat(33) }, `nodeId is '${'x'.repeat(33)}' (--node-id): must be ${nodeId}`],
    [{ dataDir: '' }, "dataDir is '' (--data-dir): must be a path that is not empty"],
    [
      { listen: '26656' },
      "listen is '26656' (--listen): must be HOST:PORT with a port from 0 to 65535, such as 0.0.0.0:26656 or [::]:26656",
    ],
    [
      { admin: '1.2.3.4:65536' },
      "admin is '1.2.3.4:65536' (--admin): must be 'off' or HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:26660",
    ],
    [
      { admin: '0.0.0.0:1' },
      "admin is '0.0.0.0:1' (--admin): must be 'off' or a loopback address, or come with --admin-token",
    ],
    [
      { adminToken: 'my secret' },
      'adminToken is not valid (--admin-token): must be 1 to 256 printable ASCII characters without spaces',
    ],
    [
      { persistentPeers: '1.2.3.4:0' },
      "persistentPeers is '1.2.3.4:0' (--persistent-peers): must be different ID@HOST:PORT or HOST:PORT, no ID and no address twice, ports from 1 to 65535",
    ],
    [
      { persistentPeers: 'a@b:1,a@c:1' },
      "persistentPeers is 'a@b:1,a@c:1' (--persistent-peers): must be different ID@HOST:PORT or HOST:PORT, no ID and no address twice, ports from 1 to 65535",
    ],
    [
      { persistentPeers: 'a@b:1,c@b:1' },
      "persistentPeers is 'a@b:1,c@b:1' (--persistent-peers): must be different ID@HOST:PORT or HOST:PORT, no ID and no address twice, ports from 1 to 65535",
    ],
    [
      { unconditionalPeerIds: 'a,a' },
      `unconditionalPeerIds is 'a,a' (--unconditional-peer-ids): must be different node IDs, each ${nodeId}`,
    ],
    [{ maxPeers: '0' }, "maxPeers is '0' (--max-peers): must be a whole number from 1 to 10000"],
    [{ maxPeers: '1.5' }, "maxPeers is '1.5' (--max-peers): must be a whole number from 1 to 10000"],
    limit('maxInbound'),
    limit('maxOutbound'),
    [{ workers: '65' }, "workers is '65' (--workers): must be 'auto' or a whole number from 1 to 64"],
    [
      { handlers: ['https://a/b.js'] },
      "handlers is ['https://a/b.js'] (--handlers): must be different paths or file: URLs of JavaScript modules",
    ],
    [
      { handlers: ['a.js', 'a.js'] },
      "handlers is ['a.js', 'a.js'] (--handlers): must be different paths or file: URLs of JavaScript modules",
    ],
    [{ dialTimeout: '5' }, `dialTimeout is '5' (--dial-timeout): ${duration}`],
    [{ handshakeTimeout: '25h' }, `handshakeTimeout is '25h' (--handshake-timeout): ${duration}`],
    [{ writeTimeout: 'soon' }, `writeTimeout is 'soon' (--write-timeout): ${duration}`],
    [{ pingInterval: '0s' }, `pingInterval is '0s' (--ping-interval): ${duration}`],
    [
      { readTimeout: '15s' },
      "readTimeout is '15s' (--read-timeout): must be longer than half of pingInterval, which is 30s",
    ],
    [
      { memoryBudget: '512MB' },
      "memoryBudget is '512MB' (--memory-budget): must be a size from 8MiB to 64GiB, such as 64KiB, 512MiB or 1GiB",
    ],
    [{ logLevel: 'trace' }, "logLevel is 'trace' (--log-level): must be one of debug, info, warn, error, silent"],
    [{ logFormat: 'xml' }, "logFormat is 'xml' (--log-format): must be one of pretty, json"],
  ])('%j is told on one line with key, value and what is allowed', (flags, message) => {
    const error = failure({ flags });
    expect(error.message).toBe(message);
    expect(error.key).toBe(Object.keys(flags)[0]);
  });

  test.each<readonly [Record<string, unknown>, string]>([
    [{ backoffJitter: 1.5 }, 'backoffJitter is 1.5 (/etc/paw/node.toml): must be a number from 0 to 1'],
    [{ frameTimeout: 60 }, `frameTimeout is 60 (/etc/paw/node.toml): ${duration}`],
    [{ shutdownTimeout: true }, `shutdownTimeout is true (/etc/paw/node.toml): ${duration}`],
    [
      { ringSize: '96KiB' },
      "ringSize is '96KiB' (/etc/paw/node.toml): must be 'auto' or a power of two from 4KiB to 64MiB, such as 64KiB or 1MiB",
    ],
    [
      { outboundRing: '32KiB' },
      "outboundRing is '32KiB' (/etc/paw/node.toml): must be a power of two from 64KiB to 64MiB, such as 64KiB or 1MiB",
    ],
    [
      { sendQueue: -1 },
      'sendQueue is -1 (/etc/paw/node.toml): must be a size from 64KiB to 1GiB, such as 64KiB, 512MiB or 1GiB',
    ],
    [
      { listen: { host: 'a' } },
      'listen is a table (/etc/paw/node.toml): must be HOST:PORT with a port from 0 to 65535, such as 0.0.0.0:26656 or [::]:26656',
    ],
    [{ maxPeer: 5 }, 'maxPeer is not an option (/etc/paw/node.toml): the nearest known is maxPeers'],
    [{ 'dial-timout': '5s' }, 'dial-timout is not an option (/etc/paw/node.toml): the nearest known is dialTimeout'],
    [JSON.parse('{"__proto__": {}}'), '__proto__ is not an option (/etc/paw/node.toml): the nearest known is preset'],
    [{ chainId: 'a', 'chain-id': 'b' }, 'chainId stands twice in the file, also as chain-id'],
  ])('%j of the file names the file', (values, message) => {
    expect(failure(file(values)).message).toBe(message);
  });

  test.each([['a.js', './a.js'], ['a.js', 'file:///work/a.js'], ['file:///a%zz'], ['file:///a%2fb'], ['a\u0001']])(
    'of handlers is one file twice, and a name that no URL can hold: %j, %j',
    (...handlers) => {
      expect(failure({ library: { handlers } }).message).toMatch(
        /^handlers is \[.*\] \(options\): must be different paths/,
      );
    },
  );

  test('of the environment names the variable, and an empty variable is a value', () => {
    expect(failure({ env: { PAW_DIAL_TIMEOUT: '5' } }).message).toBe(
      `dialTimeout is '5' (PAW_DIAL_TIMEOUT): ${duration}`,
    );
    expect(failure({ env: { PAW_CHAIN_ID: '' } }).message).toContain("chainId is '' (PAW_CHAIN_ID): must be");
  });

  test('of the library is told too, as is an option that does not exist', () => {
    expect(failure({ library: { dialTimeout: 0 } }).message).toBe(`dialTimeout is '0ms' (options): ${duration}`);
    expect(failure({ library: { maxPeer: 1 } as NodeOptions }).message).toBe(
      'maxPeer is not an option (options): the nearest known is maxPeers',
    );
  });

  test('that holds itself, or very many, is told as any other', () => {
    const endless: unknown[] = ['a:1'];
    endless.push(endless);
    const { key, message } = failure({ library: { seeds: endless as string[] } });
    expect([key, message]).toEqual([
      'seeds',
      expect.stringMatching(/^seeds is \['a:1', \['a:1', \['a:1', a list\]\]\] \(options\): must be /),
    ]);
    expect(failure({ library: { seeds: Array(2000).fill('a') } }).message.length).toBeLessThan(300);
  });

  test('limits that only together are wrong are named as the preset gave them', () => {
    expect(failure({ flags: { preset: 'low-resource', maxInbound: '21' } }).message).toBe(
      "maxInbound is '21' (--max-inbound): must be at most maxPeers, which is 20",
    );
  });

  test('never shows a token', () => {
    expect(failure({ env: { PAW_ADMIN_TOKEN: 'hunter 2' } }).message).not.toContain('hunter');
  });

  test('of any kind gives a ConfigError on one line of bounded length, never another error', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.array(fc.string()),
      fc.dictionary(fc.string(), fc.string()),
    );
    const keys = Object.keys({
      chainId: 0,
      nodeId: 0,
      listen: 0,
      admin: 0,
      persistentPeers: 0,
      maxPeers: 0,
      workers: 0,
      handlers: 0,
      dialTimeout: 0,
      ringSize: 0,
      backoffJitter: 0,
      logLevel: 0,
      preset: 0,
      dataDir: 0,
    });
    fc.assert(
      fc.property(fc.constantFrom(...keys), anything, (key, raw) => {
        try {
          resolve(file({ [key]: raw }));
          return true;
        } catch (error) {
          return error instanceof ConfigError && !/[\n\r\u2028]/.test(error.message) && error.message.length < 600;
        }
      }),
    );
  });
});
