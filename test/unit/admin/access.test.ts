/** Who may call the admin HTTP: the token in both forms, and pages of other sites. */
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { AccessLog } from '../../../src/main/admin/access-log.js';
import type { AdminServer } from '../../../src/main/admin/server.js';
import { type Answer, type Call, call, startAdmin } from './fake-node.js';

const TOKEN = 's3cret:with"colon';
const bearer = `Bearer ${TOKEN}`;
const basic = basicOf('operator', TOKEN);
const json = { 'content-type': 'application/json' };
const dial = { method: 'POST', body: { address: 'a:1' } };

function basicOf(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Lines of the log, as they are written. */
const lines: string[] = [];
async function start(token: string | null | (() => string | null)): Promise<void> {
  lines.length = 0;
  const log = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  server = await startAdmin({}, token, pino({}, log));
}

async function ask(path: string, headers: Record<string, string>, more: Call = {}): Promise<Answer> {
  return call(server!, path, { ...more, headers: { ...more.headers, ...headers } });
}

/** Headers of a page of another site, as browsers write them. */
const foreign: Record<string, string>[] = [
  { origin: 'http://evil.example' },
  { origin: 'null' },
  { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'same-origin, cross-site' },
  { 'sec-fetch-site': '' },
  { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
  { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
  { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
];

describe('the token', () => {
  test('is taken as Bearer, and as the password of Basic with any user name', async () => {
    await start(TOKEN);
    for (const authorization of [bearer, basic, basicOf('', TOKEN), `bearer  ${TOKEN}`, basic.replace('B', 'b')]) {
      expect([authorization, (await ask('/status', { authorization })).status]).toEqual([authorization, 200]);
    }
  });

  test('is not taken when it is wrong, in another place or in another scheme', async () => {
    await start(TOKEN);
    const wrong = [
      '',
      'Bearer',
      'Basic',
      'Basic ====',
      TOKEN,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN} x`,
      `Basic ${TOKEN}`,
      `Digest ${TOKEN}`,
      basicOf('operator', `${TOKEN}x`),
      basicOf('operator', ''),
      basicOf(TOKEN, 'x'),
      // Without a colon there is no password.
      `Basic ${Buffer.from(TOKEN.replaceAll(':', '')).toString('base64')}`,
      basic.replace('Basic', 'Bearer'),
    ];
    for (const authorization of wrong) {
      const { status, json: body } = await ask('/status', { authorization });
      expect([authorization, status]).toEqual([authorization, 401]);
      expect(body).toEqual({ error: 'unauthorized', message: expect.not.stringContaining(TOKEN) });
    }
  });

  test('is asked for in both forms, each in a header of its own', async () => {
    await start(TOKEN);
    const { headers, json: body } = await ask('/', {});
    // Node's client joins them with a comma.
    expect(headers['www-authenticate']).toBe('Bearer, Basic realm="paw-p2p"');
    expect(body).toMatchObject({ error: 'unauthorized' });
  });

  test('can change while the server runs', async () => {
    const token: { now: string | null } = { now: 'first' };
    await start(() => token.now);
    expect((await ask('/status', { authorization: 'Bearer first' })).status).toBe(200);
    token.now = 'second';
    expect((await ask('/status', { authorization: 'Bearer first' })).status).toBe(401);
    expect((await ask('/status', { authorization: 'Bearer second' })).status).toBe(200);
  });

  test('that is wrong or missing is counted', async () => {
    await start(TOKEN);
    for (const authorization of ['Bearer wr0ng', '']) await ask('/status', { authorization });
    const { text } = await ask('/metrics', { authorization: bearer });
    expect(text).toContain('\npaw_p2p_admin_unauthorized_total 2\n');
  });

  test('that is wrong is logged with where it came from and how many there were, and never what was given', async () => {
    await start(TOKEN);
    for (let i = 0; i < 5; i++) await ask('/status', { authorization: 'Bearer wr0ng' });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0])).toMatchObject({
      level: 40,
      msg: 'admin call without the token refused',
      remote: '127.0.0.1',
      given: 'a wrong token',
      refused: 1,
    });
    await server?.close();
    expect(JSON.parse(lines[1])).toMatchObject({ leftOut: 4, mostFrom: { '127.0.0.1': 4 } });
    expect(lines.join()).not.toMatch(/wr0ng|s3cret/);
  });
});

test('a storm of calls without the token is a line for each address, and one with how many were left out', () => {
  const told: string[] = [];
  const log = new AccessLog(pino({ level: 'warn' }, { write: (line: string) => void told.push(line) }));
  for (let call = 0; call < 300; call++) log.refused(`10.0.0.${call % 3}`, true, call);
  expect(told.map((line) => JSON.parse(line).remote)).toEqual(['10.0.0.0', '10.0.0.1', '10.0.0.2']);
  log.refused('10.0.0.9', false, 20_000);
  expect(JSON.parse(told[3])).toMatchObject({ leftOut: 297, mostFrom: { '10.0.0.0': 99 } });
  expect(JSON.parse(told[4])).toMatchObject({ remote: '10.0.0.9', given: 'no token', refused: 301 });
});

describe.each([
  ['without a token', null, undefined],
  ['with the token as Bearer', TOKEN, bearer],
  ['with the token as Basic, which browsers add by themselves', TOKEN, basic],
])('a page of another site, %s,', (_, token, authorization) => {
  const shown: Record<string, string> = authorization === undefined ? {} : { authorization };

  test('can neither read nor change anything', async () => {
    await start(token);
    for (const headers of foreign) {
      for (const [path, more] of [
        ['/status', {}],
        ['/status', { method: 'HEAD' }],
        ['/events', {}],
        ['/nowhere', {}],
        ['/peers/%zz', {}],
        ['/peers', dial],
        ['/peers/peer-a', { method: 'DELETE' }],
        ['/peers', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
      ] as const) {
        const answer = await ask(path, { ...shown, ...headers }, more);
        expect([headers, path, answer.status]).toEqual([headers, path, 403]);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    }
    expect(lines).toEqual([]);
  });

  test('can make no change as a form does', async () => {
    await start(token);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const { status, json: body } = await ask(
        '/peers',
        { ...shown, 'content-type': type },
        { method: 'POST', body: '{"address":"a:1"}' },
      );
      expect([type, status, body]).toMatchObject([type, 400, { field: 'content-type' }]);
    }
  });

  test('can not drain the node by a call without a body either, as a program can', async () => {
    await start(token);
    const post = { method: 'POST' };
    const { address: host } = server!;
    const own = { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask('/drain', shown, post)).status).toBe(202);
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      expect([headers, (await ask('/drain', { ...shown, ...headers }, post)).status]).toEqual([headers, 403]);
    }
    expect((await ask('/drain', { ...shown, ...own }, post)).json).toMatchObject({ field: 'content-type' });
  });

  test('can open the dashboard in a window of its own, and nothing else', async () => {
    await start(token);
    const link = {
      ...shown,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await ask('/', link)).status).not.toBe(403);
    expect((await ask('/', { ...link, 'sec-fetch-dest': 'iframe' })).status).toBe(403);
    expect((await ask('/', { ...link, 'sec-fetch-mode': 'cors' })).status).toBe(403);
    expect((await ask('/', { ...link, origin: 'http://evil.example' })).status).toBe(403);
    expect((await ask('/', { ...link, ...json }, { method: 'POST', body: '{}' })).status).toBe(403);
    expect((await ask('/dashboard/x.js', link)).status).toBe(403);
  });

  test('is told from a page of ours, from an address that was typed and from a program', async () => {
    await start(token);
    const { address: host } = server!;
    const own: Record<string, string>[] = [
      {},
      { origin: `http://${host}` },
      { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      { origin: 'HTTP://LOCALHOST:1', host: 'localhost:1' },
      // Behind a proxy that speaks TLS.
      { origin: 'https://localhost', host: 'localhost', 'sec-fetch-site': 'same-origin' },
    ];
    for (const headers of own) {
      expect([headers, (await ask('/status', { ...shown, ...headers })).status]).toEqual([headers, 200]);
      expect([headers, (await ask('/peers', { ...shown, ...headers }, dial)).status]).toEqual([headers, 200]);
    }
    for (const origin of [`https://${host}`, `http://${host}/`, `http://user@${host}`, 'http://127.0.0.1:1']) {
      expect([origin, (await ask('/status', { ...shown, origin })).status]).toEqual([origin, 403]);
    }
  });
});

test('no answer may be framed, embedded or taken for another type', async () => {
  await start(TOKEN);
  for (const authorization of [bearer, '']) {
    for (const path of ['/status', '/nowhere', '/peers/%zz']) {
      expect((await ask(path, { authorization })).headers).toMatchObject({
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
    }
  }
});
