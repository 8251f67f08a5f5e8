/** Routes about peers, bans, history and messages, in front of a made-up node. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { AdminServer } from '../../../src/main/admin/server.js';
import type { HistoryQuery, NodeView } from '../../../src/main/api.js';
import { ConfigError, ErrorCode, NodeError, PeerError } from '../../../src/shared/errors.js';
import { address, ban, type Call, call, drain, entry, peer, reloaded, startAdmin } from './fake-node.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(view: Partial<NodeView> = {}, token: string | null = null): Promise<void> {
  server = await startAdmin(view, token);
}

async function ask(path: string, more: Call = {}): Promise<[status: number, json: unknown]> {
  const answer = await call(server!, path, more);
  return [answer.status, answer.json];
}

const post = (path: string, body: unknown): Promise<[number, unknown]> => ask(path, { method: 'POST', body });

describe('what there is', () => {
  test('is told as lists by the names that outsiders rely on', async () => {
    await start();
    expect(await ask('/peers')).toEqual([200, { peers: [peer] }]);
    expect(await ask('/peers/peer-a')).toEqual([200, peer]);
    expect(await ask('/addresses')).toEqual([200, { addresses: [address] }]);
    expect(await ask('/bans')).toEqual([200, { bans: [ban] }]);
    expect(await ask('/history')).toEqual([200, { entries: [entry] }]);
  });

  test('is also the configuration in force, without its secrets', async () => {
    await start();
    expect(await ask('/config')).toEqual([
      200,
      expect.objectContaining({ chainId: 'paw-test', adminToken: 'set, not shown' }),
    ]);
  });

  test('has one peer looked up, without a look at all of them', async () => {
    await start({ peers: () => expect.fail('all peers were asked for') });
    expect(await ask('/peers/peer-a')).toEqual([200, peer]);
  });

  test('does not hold a peer that is not connected', async () => {
    await start();
    const unknown = [404, { error: 'not_found', message: "no connected peer has the ID 'peer-x'" }];
    expect(await ask('/peers/peer-x')).toEqual(unknown);
    expect(await ask('/peers/peer-x', { method: 'DELETE' })).toEqual(unknown);
  });

  test('is found by any ID that a peer can have', async () => {
    const seen: string[] = [];
    await start({
      disconnect: (id) => {
        seen.push(id);
        return true;
      },
    });
    const ids = ['a/b', '%2F', '..', '.', ' ', 'a?b#c', 'ä🐾', '%'.repeat(32), '\u0300'.repeat(16), 'constructor'];
    for (const id of ids) {
      const path = `/peers/${encodeURIComponent(id).replaceAll('.', '%2E')}`;
      expect(await ask(path, { method: 'DELETE' })).toEqual([200, { id }]);
    }
    expect(seen).toEqual(ids);
  });

  test('is asked of history by number, hexadecimal number and name', async () => {
    const asked: HistoryQuery[] = [];
    await start({
      eachHistory: (query) => {
        asked.push(query);
        return [];
      },
    });
    const queries = ['', '?limit=1', '?limit=10000', '?code=3', '?code=0x42', '?code=HandshakeTimeout&limit=5'];
    for (const query of queries) expect(await ask(`/history${query}`)).toEqual([200, { entries: [] }]);
    const names = ['GoingAway', 'IDENTITYMISMATCH'];
    for (const name of names) expect((await ask(`/history?code=${name}`))[0]).toBe(200);
    expect(asked).toEqual([
      {},
      { limit: 1 },
      { limit: 10_000 },
      { code: 3 },
      { code: 0x42 },
      { code: 3, limit: 5 },
      { code: 0 },
      { code: 0x4a },
    ]);
  });
});

test.each([
  '/health',
  '/status',
  '/config',
  '/metrics',
  '/openapi.json',
  '/peers',
  '/addresses',
  '/bans',
  '/doctor',
  '/events',
])('%s refuses a query parameter that it does not know', async (path) => {
  await start();
  expect(await ask(`${path}?x=1`)).toEqual([400, expect.objectContaining({ error: 'bad_request', field: 'x' })]);
});

describe('what changes something', () => {
  test('dials, and answers with the peer', async () => {
    const dialled: string[] = [];
    await start({
      dial: async (to) => {
        dialled.push(to);
        return peer;
      },
    });
    expect(await post('/peers', { address: 'peer-a@10.0.0.1:26656' })).toEqual([200, peer]);
    expect(dialled).toEqual(['peer-a@10.0.0.1:26656']);
  });

  test.each([
    [
      new PeerError(ErrorCode.HandshakeTimeout, 'h:1: no handshake in time'),
      502,
      { error: 'dial_failed', message: 'h:1: no handshake in time', code: 3, name: 'HandshakeTimeout' },
    ],
    [
      new PeerError(ErrorCode.DuplicateConnection, 'h:1: already connected'),
      409,
      { error: 'dial_failed', message: 'h:1: already connected', code: 0x40, name: 'DuplicateConnection' },
    ],
    [
      new NodeError('ERR_PAW_DIAL_QUEUE_FULL', 'the dial queue is full'),
      503,
      { error: 'unavailable', message: 'the dial queue is full' },
    ],
    [
      new NodeError('ERR_PAW_CLOSED', 'the node is closing'),
      503,
      { error: 'unavailable', message: 'the node is closing' },
    ],
    [
      new ConfigError('address', "'x' is no address of a peer: the port is missing"),
      400,
      { error: 'bad_request', message: "'x' is no address of a peer: the port is missing", field: 'address' },
    ],
    [new TypeError('a detail'), 500, { error: 'internal', message: 'the node failed to answer; its log says why' }],
  ])('a dial that fails with %s is told with its code', async (error, statusCode, json) => {
    await start({ dial: () => Promise.reject(error) });
    expect(await post('/peers', { address: 'x' })).toEqual([statusCode, json]);
  });

  test('disconnects', async () => {
    await start();
    expect(await ask('/peers/peer-a', { method: 'DELETE' })).toEqual([200, { id: 'peer-a' }]);
    const declared = { 'content-type': 'application/json' };
    expect((await ask('/peers/peer-a', { method: 'DELETE', headers: declared }))[0]).toBe(200);
    expect((await ask('/peers/peer-a', { method: 'DELETE', body: {} }))[0]).toBe(200);
  });

  test('bans for a time as text, in milliseconds or not at all, and lifts a ban', async () => {
    const calls: unknown[] = [];
    await start({
      ban: (...args) => {
        calls.push(args);
        return ban;
      },
    });
    expect(await post('/bans', { target: '10.0.0.0/24', for: '24h', reason: 'spam' })).toEqual([200, ban]);
    expect(await post('/bans', { target: 'id:x', for: 5000 })).toEqual([200, ban]);
    expect(await post('/bans', { target: '::1' })).toEqual([200, ban]);
    expect(calls).toEqual([
      ['10.0.0.0/24', { for: '24h', reason: 'spam' }],
      ['id:x', { for: 5000 }],
      ['::1', {}],
    ]);
    expect(await ask('/bans/10.0.0.0%2F24', { method: 'DELETE' })).toEqual([200, { target: '10.0.0.0/24' }]);
    expect(await ask('/bans/10.0.0.1', { method: 'DELETE' })).toEqual([
      404,
      { error: 'not_found', message: "there is no ban of '10.0.0.1'" },
    ]);
  });

  test('what the node says is wrong with a ban is told by its field', async () => {
    await start({
      ban: () => {
        throw new ConfigError('for', "for is 'x': must be a duration");
      },
      unban: () => {
        throw new ConfigError('target', "target is 'x': must be an IP address");
      },
    });
    const wrongTime = { error: 'bad_request', message: "for is 'x': must be a duration", field: 'for' };
    expect(await post('/bans', { target: '::1', for: 'x' })).toEqual([400, wrongTime]);
    const wrongTarget = { error: 'bad_request', message: "target is 'x': must be an IP address", field: 'target' };
    expect(await ask('/bans/x', { method: 'DELETE' })).toEqual([400, wrongTarget]);
  });
});

describe('POST /broadcast', () => {
  test('hands the bytes to the node and tells how many peers get them', async () => {
    const sent: [string, Buffer][] = [];
    await start({
      broadcastBytes: (type, payload) => {
        sent.push([type, Buffer.from(payload)]);
        return { sent: 2, skipped: 1 };
      },
    });
    const payloads = [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0xfb, 0xff]), Buffer.alloc(1024 * 1024, 7)];
    for (const payload of payloads) {
      const body = { type: 'tx', payloadBase64: payload.toString('base64') };
      expect(await post('/broadcast', body)).toEqual([200, { sent: 2, skipped: 1 }]);
    }
    expect(sent.map(([type, payload], i) => type === 'tx' && payload.equals(payloads[i]))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test('takes as much as a frame holds, however its JSON is written, and not a byte more', async () => {
    const lengths: number[] = [];
    await start({
      broadcastBytes: (_type, payload) => {
        lengths.push(payload.length);
        return { sent: 1, skipped: 0 };
      },
    });
    const most = 10 * 1024 * 1024 - 2 - 2;
    const bytes = (length: number) => Buffer.alloc(length, 0x5a).toString('base64');
    expect(await post('/broadcast', { type: 'tx', payloadBase64: bytes(most) })).toEqual([
      200,
      { sent: 1, skipped: 0 },
    ]);
    // As PHP writes it: a slash escaped. A byte in 8 of these is one.
    const slashes = Buffer.from('/AAA'.repeat(1000)).toString();
    const escaped = `{"type":"tx","payloadBase64":"${slashes.replaceAll('/', '\\/')}"}`;
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await ask('/broadcast', { method: 'POST', body: escaped, headers }))[0]).toBe(200);
    const message = `payloadBase64 has ${most + 1} bytes: at most ${most} with this type`;
    expect(await post('/broadcast', { type: 'tx', payloadBase64: bytes(most + 1) })).toEqual([
      400,
      { error: 'bad_request', message, field: 'payloadBase64' },
    ]);
    expect(lengths).toEqual([most, 3000]);
  });

  test.each(['A', 'AA', 'AAA', 'AA=', 'AB==', 'AA==\n', ' AAAA', 'AA AA', '-_-_', 'AAAA====', 'AA==AA==', 'ä'])(
    'refuses %j, which is not base64 to the letter',
    async (payloadBase64) => {
      await start();
      expect(await post('/broadcast', { type: 'tx', payloadBase64 })).toEqual([
        400,
        expect.objectContaining({ field: 'payloadBase64' }),
      ]);
    },
  );

  test('tells a type that the node refuses', async () => {
    await start({
      broadcastBytes: () => {
        throw new NodeError('ERR_PAW_MESSAGE', "'ping' belongs to the protocol");
      },
    });
    const json = { error: 'bad_request', message: "'ping' belongs to the protocol", field: 'type' };
    expect(await post('/broadcast', { type: 'ping', payloadBase64: '' })).toEqual([400, json]);
  });
});

describe('bad input', () => {
  test.each<[method: string, path: string, body: unknown, field: string, message: string]>([
    ['POST', '/peers', {}, 'address', 'address is missing (body): must be HOST:PORT or ID@HOST:PORT, as text'],
    ['POST', '/peers', { address: 5 }, 'address', 'address is 5 (body): must be HOST:PORT or ID@HOST:PORT, as text'],
    [
      'POST',
      '/peers',
      { address: null },
      'address',
      'address is null (body): must be HOST:PORT or ID@HOST:PORT, as text',
    ],
    [
      'POST',
      '/peers',
      { address: ['a'] },
      'address',
      'address is a list (body): must be HOST:PORT or ID@HOST:PORT, as text',
    ],
    ['POST', '/peers', { address: 'a', id: 'x' }, 'id', 'id is unknown (body): the fields are address'],
    ['POST', '/peers', [], 'body', 'body is a list: must be a JSON object'],
    [
      'POST',
      '/bans',
      {},
      'target',
      'target is missing (body): must be an IP address, a CIDR range or id:NODEID, as text',
    ],
    [
      'POST',
      '/bans',
      { target: 'x', for: true },
      'for',
      "for is true (body): must be a duration such as 24h, milliseconds, or 'forever'",
    ],
    [
      'POST',
      '/bans',
      { target: 'x', for: -1 },
      'for',
      "for is -1 (body): must be a duration such as 24h, milliseconds, or 'forever'",
    ],
    [
      'POST',
      '/bans',
      { target: 'x', until: '1h' },
      'until',
      'until is unknown (body): the fields are target, for, reason',
    ],
    [
      'POST',
      '/bans',
      { target: 'x', reason: 'a\nb' },
      'reason',
      "reason is 'a\\nb' (body): must be text of at most 256 characters without control characters",
    ],
    [
      'POST',
      '/broadcast',
      { type: 'tx' },
      'payloadBase64',
      'payloadBase64 is missing (body): must be base64 with padding, without line breaks',
    ],
    [
      'POST',
      '/broadcast',
      { type: '', payloadBase64: '' },
      'type',
      "type is '' (body): must be 1 to 255 bytes of UTF-8 without control characters",
    ],
    ['POST', '/broadcast', { type: 'a\ud800', payloadBase64: '' }, 'type', expect.stringContaining('type is') as never],
    ['GET', '/history?limit=0', undefined, 'limit', "limit is '0' (query): must be a whole number from 1 to 10000"],
    [
      'GET',
      '/history?limit=10001',
      undefined,
      'limit',
      "limit is '10001' (query): must be a whole number from 1 to 10000",
    ],
    ['GET', '/history?limit=', undefined, 'limit', "limit is '' (query): must be a whole number from 1 to 10000"],
    [
      'GET',
      '/history?limit=1&limit=2',
      undefined,
      'limit',
      'limit is a list (query): must be a whole number from 1 to 10000',
    ],
    [
      'GET',
      '/history?code=256',
      undefined,
      'code',
      expect.stringContaining("code is '256' (query): must be an error code") as never,
    ],
    ['GET', '/history?code=toString', undefined, 'code', expect.stringContaining("code is 'toString'") as never],
    ['GET', '/history?since=1', undefined, 'since', 'since is unknown (query): the fields are limit, code'],
    ['GET', '/peers?limit=1', undefined, 'limit', 'limit is unknown (query): the fields are none'],
    ['DELETE', '/peers/peer-a', { code: 1 }, 'code', 'code is unknown (body): the fields are none'],
    ['DELETE', '/bans/%zz', undefined, 'path', "'/bans/%zz' is not a valid url component"],
  ])('%s %s %j is told by its field, %s', async (method, path, body, field, message) => {
    await start();
    expect(await ask(path, { method, body })).toEqual([400, { error: 'bad_request', message, field }]);
  });

  test.each([
    ['no JSON', '{', /^body is no JSON: /],
    ['a number', '5', /^body is 5: must be a JSON object$/],
    ['null', 'null', /^body is null: must be a JSON object$/],
    ['nothing', '', /^body is missing: must be a JSON object$/],
    ['no UTF-8', Buffer.from('7b22ff223a317d', 'hex'), /^body is not UTF-8/],
    ['a prototype', '{"__proto__":{"address":"a"}}', /^(address is missing|__proto__ is unknown)/],
    ['brackets without end', '['.repeat(60_000), /^body is no JSON: /],
    ['nested lists', `{"address":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, /^address is a list/],
  ])('a body that is %s is told', async (_, body, message) => {
    await start();
    const headers = { 'content-type': 'application/json' };
    const [code, json] = await ask('/peers', { method: 'POST', body, headers });
    expect([code, json]).toEqual([
      400,
      { error: 'bad_request', message: expect.stringMatching(message), field: expect.any(String) },
    ]);
  });

  test('a body that is too large is told, and only messages may be large', async () => {
    await start();
    const body = { address: 'x'.repeat(100_000) };
    expect(await post('/peers', body)).toEqual([413, expect.objectContaining({ error: 'too_large', field: 'body' })]);
  });

  test('whatever is sent, the answer is an error with a message and the node is not asked', async () => {
    const no = (): never => {
      throw new Error('the node was asked');
    };
    await start({ dial: no, ban: no, broadcastBytes: no, disconnect: no, unban: no });
    const paths = ['/peers', '/bans', '/broadcast'];
    const headers = { 'content-type': 'application/json' };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.json(), async (path, body) => {
        const [code, json] = await ask(path, { method: 'POST', body, headers });
        expect([code, json]).toEqual([
          400,
          { error: 'bad_request', message: expect.any(String), field: expect.any(String) },
        ]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a page of another site', () => {
  const json = { 'content-type': 'application/json' };
  const body = '{"address":"a:1"}';

  test('can make no change without the browser asking first', async () => {
    await start();
    const simple = [
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'text/plain; application/json',
      'application/json, text/plain',
    ];
    const wrong = { error: 'bad_request', message: 'content-type must be application/json', field: 'content-type' };
    for (const type of simple) {
      const headers = type === undefined ? {} : { 'content-type': type };
      expect([type, await ask('/peers', { method: 'POST', body, headers })]).toEqual([type, [400, wrong]]);
    }
    // This is how the browser asks; no answer of ours says yes.
    const asked = await call(server!, '/peers', { method: 'OPTIONS', headers: { origin: 'http://evil.example' } });
    expect(Object.keys(asked.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('is refused by its Origin, and a page of ours is not', async () => {
    await start();
    const { address: host } = server!;
    const foreign = [
      'http://evil.example',
      'null',
      `http://${host}.evil.example`,
      'http://127.0.0.1:1',
      `evil://${host}`,
    ];
    for (const origin of foreign) {
      for (const [method, path] of [
        ['POST', '/peers'],
        ['DELETE', '/peers/peer-a'],
      ] as const) {
        const answer = await ask(path, { method, headers: { ...json, origin }, body: method === 'POST' ? body : '' });
        expect([origin, method, answer]).toEqual([
          origin,
          method,
          [403, expect.objectContaining({ error: 'forbidden_origin' })],
        ]);
      }
    }
    const own = { ...json, origin: `http://${host}` };
    expect((await ask('/peers', { method: 'POST', headers: own, body }))[0]).toBe(200);
    const named = { ...json, host: 'localhost:1', origin: 'http://localhost:1' };
    expect((await ask('/peers', { method: 'POST', headers: named, body }))[0]).toBe(200);
  });

  test('does not have the token, which is asked for on every route', async () => {
    await start({}, 's3cret');
    for (const [method, path] of [
      ['GET', '/peers'],
      ['GET', '/addresses'],
      ['GET', '/bans'],
      ['GET', '/history'],
      ['POST', '/peers'],
      ['POST', '/bans'],
      ['POST', '/broadcast'],
      ['DELETE', '/peers/x'],
      ['DELETE', '/bans/x'],
      ['DELETE', '/bans/%zz'],
    ] as const) {
      expect([path, (await ask(path, { method }))[0]]).toEqual([path, 401]);
    }
    const headers = { ...json, authorization: 'Bearer s3cret' };
    expect((await ask('/peers', { method: 'POST', headers, body }))[0]).toBe(200);
  });
});

describe('how the node runs', () => {
  test('is changed by a reload, which tells what changed', async () => {
    await start();
    expect(await post('/reload', {})).toEqual([200, reloaded]);
    expect((await ask('/reload', { method: 'POST', headers: { 'content-type': 'application/json' } }))[0]).toBe(200);
    expect((await ask('/reload', { method: 'POST' }))[0]).toBe(200);
    expect(await post('/reload', { maxPeers: 5 })).toEqual([400, expect.objectContaining({ field: 'maxPeers' })]);
  });

  test.each([
    [new ConfigError('maxPeers', 'maxPeers is wrong'), 400, 'bad_request'],
    [new NodeError('ERR_PAW_RELOAD', 'nothing to reload'), 409, 'conflict'],
  ])('stays as it is when a reload fails: %s', async (error, code, word) => {
    await start({
      reload: () => {
        throw error;
      },
    });
    expect(await post('/reload', {})).toEqual([code, expect.objectContaining({ error: word, message: error.message })]);
  });

  test('ends with a drain, which tells how far it is', async () => {
    const asked: unknown[] = [];
    await start({
      drain: (options) => {
        asked.push(options.within);
        return drain;
      },
    });
    expect(await post('/drain', {})).toEqual([202, drain]);
    expect(await post('/drain', { within: '5s' })).toEqual([202, drain]);
    expect(await post('/drain', { within: 5000 })).toEqual([202, drain]);
    expect((await ask('/drain', { method: 'POST', headers: { 'content-type': 'application/json' } }))[0]).toBe(202);
    expect((await ask('/drain', { method: 'POST' }))[0]).toBe(202);
    expect((await ask('/drain', { method: 'POST', headers: { 'content-length': 0 } }))[0]).toBe(202);
    expect(await post('/drain', { within: -1 })).toEqual([400, expect.objectContaining({ field: 'within' })]);
    expect(asked).toEqual([undefined, '5s', 5000, undefined, undefined, undefined]);
  });
});
