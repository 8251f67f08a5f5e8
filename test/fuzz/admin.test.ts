/**
 * The admin HTTP as whoever reaches it may call it: any method, path, query, headers and body, over real sockets. Each
 * answer must be as it is described, and none a failure of the node.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdminServer } from '../../src/main/admin/server.js';
import { call, startAdmin } from '../unit/admin/fake-node.js';

let server: AdminServer;
beforeAll(async () => {
  server = await startAdmin();
});
afterAll(() => server.close());

/** Of the page what lies beside the sources: its scripts are compiled. */
const routes = [
  ...['/health', '/status', '/config', '/metrics', '/peers', '/addresses', '/bans', '/history', '/doctor', '/reload'],
  ...['/drain', '/broadcast', '/openapi.json', '/', '/dashboard/page.css', '/peers/peer-a', '/bans/10.0.0.0%2F24'],
];
/** What may stand in a line of HTTP at all: others are the client's to refuse. */
const pathPart = fc.stringMatching(/^[!-"$->@-~]{0,24}$/);
const path = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...routes) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('/peers/', '/bans/', '/dashboard/', '/'), pathPart).map((two) => two.join('')),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('/peers/', '/bans/'), fc.integer({ min: 350, max: 450 }))
      .map(([at, length]) => at + 'x'.repeat(length)),
  },
);
const field = fc.constantFrom(
  'limit',
  'code',
  'address',
  'target',
  'for',
  'reason',
  'type',
  'payloadBase64',
  'within',
  '__proto__',
  'x',
);
const query = fc.oneof(
  fc.constant(''),
  fc.tuple(field, pathPart).map(([name, value]) => `?${name}=${value.replaceAll('#', '')}`),
  pathPart.map((text) => `?${text}`),
);
const value = fc.oneof(
  fc.constantFrom(
    '10.0.0.1',
    '10.0.0.0/24',
    'id:peer',
    'a@b:1',
    'forever',
    '24h',
    '0x04',
    'HandshakeTimeout',
    'AA==',
    'tx',
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const body = fc.oneof(
  fc.constant(undefined),
  fc.dictionary(field, value, { maxKeys: 4 }),
  fc.jsonValue(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 1, max: 40_000 }).map((depth) => '['.repeat(depth)),
);
const header = fc.stringMatching(/^[ -~]{0,40}$/).map((text) => text.trim());
/** With any others most calls go no further than the door. */
const plainHeaders = fc.constantFrom({ 'content-type': 'application/json' }, { host: 'localhost' });
const anyHeaders = fc.record(
  {
    'content-type': fc.oneof(
      fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain'),
      header,
    ),
    host: fc.oneof(fc.constantFrom('127.0.0.1', 'localhost:1', '[::1]', 'evil.example', ''), header),
    origin: fc.oneof(fc.constantFrom('null', 'http://evil.example'), header),
    authorization: fc.oneof(fc.constantFrom('Bearer x', 'Basic eDp4', 'Basic ='), header),
    'sec-fetch-site': fc.oneof(fc.constantFrom('same-origin', 'cross-site', 'none'), header),
    'if-none-match': header,
    accept: header,
  },
  { requiredKeys: [] },
);
const headers = fc.oneof({ weight: 2, arbitrary: plainHeaders }, { weight: 1, arbitrary: anyHeaders });
const method = fc.constantFrom('GET', 'GET', 'POST', 'POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD');

describe('the admin HTTP', () => {
  it('answers whatever it is asked as it is described, and never fails', async () => {
    const asked = fc.record({ method, path, query, headers, body });
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(asked, async ({ method, path, query, headers, body }) => {
        // Read without an end, and of the kind that has tests of its own.
        fc.pre(!path.startsWith('/events'));
        const isBodyless = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
        // `call` rejects an answer that is not as described.
        const { status } = await call(server, path + query, { method, headers, body: isBodyless ? undefined : body });
        statuses.add(status);
        expect(status).not.toBe(500);
      }),
      { numRuns: 250, seed: 1 },
    );
    expect([...statuses]).toEqual(expect.arrayContaining([200, 400, 403, 404]));
    expect((await call(server, '/health')).status).toBe(200);
  });
});
