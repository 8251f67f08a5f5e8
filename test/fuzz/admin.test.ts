/**
 * The admin HTTP as whoever reaches it may call it: any method, path, query, headers and body, over real sockets. Each
 * answer must be as it is described, and none a failure of the node. What the node itself reads of a call (targets and
 * times of bans, addresses, types) is held against `reference/requests.ts`.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AdminServer } from '../../src/main/admin/server.js';
import type { BanInfo } from '../../src/main/api.js';
import { type Answer, call, startAdmin } from '../unit/admin/fake-node.js';
import { type Request, requests } from './inputs/requests.js';
import { readingNode } from './reading-node.js';
import { ipBits } from './reference/ip.js';
import { banMs, isDialled, isDrainTime, isOwnType, whoIsMeant } from './reference/requests.js';

let server: AdminServer;
beforeEach(async () => {
  server = await startAdmin(readingNode());
});
afterEach(() => server.close());

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

  it('takes what the node itself reads as the references do, and answers the rest with what is wrong', async () => {
    const times = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const answer = await ask(request);
        const wrong = fieldsWrong(request);
        expect(answer.status).toBe(wrong.length > 0 ? 400 : RIGHT[request.kind]);
        if (wrong.length > 0) expect(wrong).toContain((answer.json as { field: string }).field);
        else if (request.kind === 'ban') {
          expectBan(answer.json as BanInfo, request.target, request.time);
          // Who was banned under one spelling is found again under it.
          expect((await ask({ kind: 'unban', target: request.target })).status).toBe(200);
        }
        const what = `${request.kind} ${answer.status}`;
        times.set(what, (times.get(what) ?? 0) + 1);
      }),
      { numRuns: 600, seed: 1 },
    );
    const all = Object.entries(RIGHT).flatMap(([kind, status]) => [`${kind} ${status}`, `${kind} 400`]);
    expect(all.filter((what) => (times.get(what) ?? 0) < 10)).toEqual([]);
  });
});

/** What is answered where nothing is wrong: each ban is lifted at once, so that there is none to lift. */
const RIGHT = { ban: 200, unban: 404, dial: 200, broadcast: 200, drain: 202 };

function ask(request: Request): Promise<Answer> {
  switch (request.kind) {
    case 'ban':
      return call(server, '/bans', { method: 'POST', body: { target: request.target, for: request.time } });
    case 'unban':
      return call(server, `/bans/${encodeURIComponent(request.target.toWellFormed())}`, { method: 'DELETE' });
    case 'dial':
      return call(server, '/peers', { method: 'POST', body: { address: request.address } });
    case 'broadcast':
      return call(server, '/broadcast', { method: 'POST', body: { type: request.type, payloadBase64: 'AA==' } });
    case 'drain':
      return call(server, '/drain', { method: 'POST', body: { within: request.time } });
  }
}

/** What of a request is wrong; an answer names one. */
function fieldsWrong(request: Request): string[] {
  switch (request.kind) {
    case 'ban':
      return [
        ...(whoIsMeant(request.target) === null ? ['target'] : []),
        ...(banMs(request.time) === null ? ['for'] : []),
      ];
    case 'unban':
      return whoIsMeant(request.target.toWellFormed()) === null ? ['target'] : [];
    case 'dial':
      return isDialled(request.address) ? [] : ['address'];
    case 'broadcast':
      return isOwnType(request.type) ? [] : ['type'];
    case 'drain':
      return isDrainTime(request.time) ? [] : ['within'];
  }
}

/** The ban is of whom was meant, and as long as was asked for. Without a time it is longer each time. */
function expectBan({ target, since, until }: BanInfo, asked: string, time: unknown): void {
  expect(whoIsMeant(target)).toBe(whoIsMeant(asked));
  // A range has one spelling, by its first address.
  if (!target.startsWith('id:')) expect(whoIsMeant(asked)).toMatch(new RegExp(`^${ipBits(target.split('/')[0])} to`));
  const lastsMs = until === null ? 'forever' : Date.parse(until) - Date.parse(since);
  if (time === undefined) expect(lastsMs).toBeGreaterThanOrEqual(banMs(time) as number);
  else expect(lastsMs).toBe(banMs(time));
}
