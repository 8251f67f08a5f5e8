/** Commands that talk to a running node, against a made-up one behind the real admin HTTP. */
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HistoryQuery, NodeView } from '../../../src/main/api.js';
import { AdminClient, silence } from '../../../src/main/cli/admin-client.js';
import { ConfigError, ErrorCode, NodeError, PeerError } from '../../../src/shared/errors.js';
import { ban, drain, entry, peer, status } from '../admin/fake-node.js';
import { startNode, stopNode, tell, theNode } from './made-up-node.js';
import { run } from './run.js';

let other: Server | undefined;

afterEach(() => {
  other?.close();
  other = undefined;
});

describe('what a node tells', () => {
  test('is a table for people, and with --json exactly what the route answers', async () => {
    for (const [command, path, text] of [
      ['peers', '/peers', /^id +address .*\npeer-a +10\.0\.0\.1:26656 .*\n1 peer \(0 inbound, 1 outbound\)\n$/],
      ['bans', '/bans', /^target .*\n10\.0\.0\.0\/24 .*RateLimited +spam\n1 ban\n$/],
      ['history', '/history', /^time .*\n.*dial-failed .*NetworkError .*ECONNREFUSED\n$/],
      ['status', '/status', /^node +node-a /],
    ] as const) {
      expect(await tell({}, command)).toEqual({ code: 0, out: expect.stringMatching(text), err: '' });
      const answer = await (await fetch(`http://${theNode().address}${path}`)).text();
      expect(await tell({}, command, '--json')).toEqual({ code: 0, out: `${answer}\n`, err: '' });
    }
  });

  test('that it has none is told as that', async () => {
    const view = { peers: () => [], eachBan: () => [], eachHistory: () => [] };
    const told = [];
    for (const command of ['peers', 'bans', 'history']) told.push((await tell(view, command)).out);
    expect(told).toEqual(['no peers\n', 'no bans\n', 'no history\n']);
  });

  test('of status has discovery and gossip', async () => {
    const { out } = await tell({}, 'status');
    for (const line of [
      'addresses          101 known, 102 tried, 105 learned from others',
      'peer exchange      103 received, 104 sent',
      'crawls             106 of seeds, 6 failed',
      'crawls of us       107 served, 108 refused',
      'feelers            109',
      'evictions          110',
      'bans               111',
      'gossip             201 relayed, 202 duplicates, 203 forgotten early',
      'all runs           3 starts since 2026-01-01T00:00:00.000Z, up 1h 2m 5s',
    ]) {
      expect(out.split('\n').map((one) => one.replace(/ {2,}/, '  '))).toContain(line.replace(/ {2,}/, '  '));
    }
  });

  test('of status counts one of a thing as one', async () => {
    const one = <T>(value: T): T =>
      JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === 'number' ? 1 : inner))) as T;
    const { out } = await tell({ status: () => one(status) }, 'status');
    expect(out).toContain('1 message, 1 B');
    expect(out).not.toMatch(/\b1 (handler )?(messages|frames|errors|sends|duplicates|connections|starts|restarts)\b/);
  });

  test('of history can be limited and be of one code', async () => {
    const asked: HistoryQuery[] = [];
    const view: Partial<NodeView> = {
      eachHistory: (query) => {
        asked.push(query);
        return [entry];
      },
    };
    await tell(view, 'history', '--limit', '7');
    await tell(view, 'history', '--code', 'handshaketimeout', '--limit', '1');
    await tell(view, 'history', '--code', '0x4A');
    expect(asked).toEqual([{ limit: 7 }, { limit: 1, code: 3 }, { code: 0x4a }]);
  });

  test('is shown again and again with --watch, until a signal', async () => {
    for (const command of ['peers', 'bans', 'history', 'status']) {
      let looks = 0;
      const look = <T>(seen: T) => {
        if (++looks === 2) process.emit('SIGINT');
        return seen;
      };
      const view: Partial<NodeView> = {
        peers: () => look([peer]),
        eachBan: () => look([ban]),
        eachHistory: () => look([entry]),
        status: () => look(status),
      };
      const { code, out, err } = await tell(view, command, '--watch', '--json');
      expect([code, err, out.trimEnd().split('\n').length, looks]).toEqual([0, '', 2, 2]);
      await stopNode();
    }
  });
});

describe('what a node is told', () => {
  test('is done and said', async () => {
    const calls: unknown[] = [];
    const note = <T>(name: string, args: readonly unknown[], answer: T): T => {
      calls.push([name, ...args]);
      return answer;
    };
    const view: Partial<NodeView> = {
      dial: async (...args) => note('dial', args, peer),
      disconnect: (...args) => note('disconnect', args, true),
      ban: (...args) => note('ban', args, ban),
      unban: (...args) => note('unban', args, true),
    };
    const said = [
      await tell(view, 'dial', 'peer-a@[::1]:26656'),
      await tell(view, 'disconnect', '../a b?'),
      await tell(view, 'disconnect', '..'),
      await tell(view, 'ban', '10.0.0.0/24', '--for', '24h', '--reason', 'spam'),
      await tell(view, 'ban', 'id:x'),
      await tell(view, 'unban', '10.0.0.0/24'),
    ];
    expect(said.map(({ code, out, err }) => [code, out, err])).toEqual([
      [0, 'connected to peer-a@10.0.0.1:26656\n', ''],
      [0, 'disconnected ../a b?\n', ''],
      [0, 'disconnected ..\n', ''],
      [0, 'banned 10.0.0.0/24 until 2026-01-02T00:00:00.000Z\n', ''],
      [0, 'banned 10.0.0.0/24 until 2026-01-02T00:00:00.000Z\n', ''],
      [0, 'lifted the ban of 10.0.0.0/24\n', ''],
    ]);
    expect(calls).toEqual([
      ['dial', 'peer-a@[::1]:26656'],
      ['disconnect', '../a b?'],
      ['disconnect', '..'],
      ['ban', '10.0.0.0/24', { for: '24h', reason: 'spam' }],
      ['ban', 'id:x', {}],
      ['unban', '10.0.0.0/24'],
    ]);
  });

  test('is answered with --json as the routes answer', async () => {
    const view: Partial<NodeView> = { ban: () => ({ ...ban, until: null }) };
    expect((await tell(view, 'dial', '10.0.0.1:1', '--json')).out).toBe(`${JSON.stringify(peer)}\n`);
    expect((await tell(view, 'disconnect', 'peer-a', '--json')).out).toBe('{"id":"peer-a"}\n');
    expect(JSON.parse((await tell(view, 'ban', '::1', '--json')).out)).toEqual({ ...ban, until: null });
    expect((await tell(view, 'unban', ban.target, '--json')).out).toBe('{"target":"10.0.0.0/24"}\n');
    expect((await tell(view, 'ban', '::1')).out).toBe('banned 10.0.0.0/24 until it is lifted\n');
  });

  test.each<[Error, number, string]>([
    [
      new PeerError(ErrorCode.NetworkError, '10.0.0.1:1: ECONNREFUSED'),
      1,
      '10.0.0.1:1: ECONNREFUSED (0x08 NetworkError)',
    ],
    [
      new PeerError(ErrorCode.ChainIDMismatch, '10.0.0.1:1: refused: a\nb\x1b[2J'),
      1,
      '10.0.0.1:1: refused: a\uFFFDb\uFFFD[2J (0x02 ChainIDMismatch)',
    ],
    [new PeerError(0xee, '10.0.0.1:1: refused'), 1, '10.0.0.1:1: refused (0xEE Unknown)'],
    [new ConfigError('address', "'10.0.0.1:1' is ours"), 2, "'10.0.0.1:1' is ours"],
    [
      new NodeError('ERR_PAW_DIAL_QUEUE_FULL', 'the dial queue is full'),
      1,
      'the node on AT refuses: the dial queue is full',
    ],
    [new Error('x'), 1, 'the node on AT refuses: the node failed to answer; its log says why'],
  ])('a dial that fails with %s is one line', async (error, code, line) => {
    const failed = await tell({ dial: () => Promise.reject(error) }, 'dial', '10.0.0.1:1');
    expect(failed).toEqual({ code, out: '', err: `paw-p2p: ${line.replace('AT', theNode().address)}\n` });
  });

  test('that does not fit what there is fails with one line', async () => {
    expect(await tell({}, 'disconnect', 'nobody')).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^paw-p2p: the node on \S+ refuses: no connected peer has the ID 'nobody'\n$/),
    });
    expect(await tell({}, 'unban', '10.0.0.1')).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^paw-p2p: the node on \S+ refuses: there is no ban of '10\.0\.0\.1'\n$/),
    });
  });

  test('that the node finds wrong is told as wrong usage, by its name', async () => {
    const view: Partial<NodeView> = {
      ban: () => {
        throw new ConfigError('target', "target is '::1': must be another");
      },
    };
    const err = "paw-p2p: target is '::1': must be another\n";
    expect(await tell(view, 'ban', '::1', '--for', '24h')).toEqual({ code: 2, out: '', err });
    expect(await tell(view, 'ban', '::1', '--reason', 'a\nb')).toEqual({
      code: 2,
      out: '',
      err: expect.stringMatching(/^paw-p2p: reason is 'a\\nb'/),
    });
  });
});

describe('a node that is not there', () => {
  async function listen(server: Server): Promise<string> {
    other = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test.each([
    ['peers'],
    ['bans'],
    ['history'],
    ['status'],
    ['dial', 'a:1'],
    ['disconnect', 'a'],
    ['ban', '::1'],
    ['unban', '::1'],
  ])('is told by %s on one line', async (...args) => {
    const at = await listen(createServer());
    await new Promise((resolve) => other!.close(resolve));
    const err = `paw-p2p: no node answers on ${at} (ECONNREFUSED): start one, or name its address with --admin\n`;
    expect(await run(...args, '--admin', at)).toEqual({ code: 1, out: '', err });
  });

  test('is told from something else that answers there', async () => {
    const wrong = (at: string) => `paw-p2p: what answers on ${at} is not a PAW node: name its address with --admin\n`;
    for (const text of ['<html>', 'null', '[]', '{}', '{"peers":5}', '"peers"']) {
      const at = await listen(createHttpServer((_request, response) => response.end(text)));
      expect([text, await run('peers', '--admin', at)]).toEqual([text, { code: 1, out: '', err: wrong(at) }]);
      other!.close();
    }
    // As a node answers on its address for peers.
    const at = await listen(createServer((socket) => void socket.on('error', () => undefined).end(Buffer.alloc(65))));
    expect(await run('peers', '--admin', at)).toEqual({ code: 1, out: '', err: wrong(at) });
  });

  test('and hangs up is told', async () => {
    const at = await listen(createServer((socket) => void socket.destroy()));
    const { code, err } = await run('peers', '--admin', at);
    expect([code, err]).toEqual([1, expect.stringMatching(/^paw-p2p: no node answers on \S+ \(\w+\): start one.*\n$/)]);
  });

  test('or wants a token is told, and the token is never shown', async () => {
    const { address } = await startNode({}, 's3cret');
    expect(await run('peers', '--admin', address)).toEqual({
      code: 1,
      out: '',
      err: `paw-p2p: the node on ${address} refuses: this address needs the admin token as Authorization: Bearer TOKEN\n`,
    });
    expect(await run('peers', '--admin', address, '--admin-token', 's3cret')).toMatchObject({ code: 0, err: '' });
    vi.stubEnv('PAW_ADMIN_TOKEN', 's3cret');
    expect(await run('ban', '10.0.0.1', '--admin', address)).toMatchObject({ code: 0, err: '' });
  });
});

describe('a reload', () => {
  test('is told as what changed and what needs a restart', async () => {
    const { out } = await tell({}, 'reload');
    expect(out).toBe(
      'in force from now on:\n  maxPeers  100 -> 50\nneeds a restart:\n  listen  [::]:26656 -> [::]:26666\n',
    );
    await stopNode();
    expect((await tell({ reload: () => ({ applied: [], needsRestart: [] }) }, 'reload')).out).toBe(
      'nothing has changed\n',
    );
  });

  test('of a file that is wrong says what is wrong, as wrong usage', async () => {
    const view = {
      reload: () => {
        throw new ConfigError('maxPeers', "maxPeers is 'x' (node.toml): must be a whole number");
      },
    };
    const err = "paw-p2p: maxPeers is 'x' (node.toml): must be a whole number\n";
    expect(await tell(view, 'reload')).toEqual({ code: 2, out: '', err });
  });

  test('of a node that a program started is refused with the reason', async () => {
    const view = {
      reload: () => {
        throw new NodeError('ERR_PAW_RELOAD', 'nothing to reload: this node got its options from a program');
      },
    };
    const { code, err } = await tell(view, 'reload');
    expect([code, err]).toEqual([1, expect.stringMatching(/refuses: nothing to reload/)]);
  });
});

describe('a drain', () => {
  test('is shown until the node is gone', async () => {
    const asked: unknown[] = [];
    const draining = { ...drain, until: new Date(Date.now() + 60_000).toISOString() };
    const left = [2, 1, 1];
    const view: Partial<NodeView> = {
      drain: (options) => {
        asked.push(options);
        return draining;
      },
      status: () => {
        const connections = left.shift();
        return { ...status, draining: connections === undefined ? null : { ...draining, connections } };
      },
    };
    expect(await tell(view, 'drain', '--within', '5s')).toEqual({
      code: 0,
      out: [3, 2, 1]
        .map((n) => `draining: ${n} connection${n === 1 ? '' : 's'} left, 401 messages in queues, 402 B to send\n`)
        .concat('the node has stopped\n')
        .join(''),
      err: '',
    });
    expect(asked).toEqual([{ within: '5s' }]);
  });

  /** A node whose `/status` is answered by one of these after the other; then nobody listens any more. */
  async function listening(until: string, ...answers: ((response: ServerResponse) => void)[]) {
    const server = createHttpServer((request, response) => {
      const body = (connections: number) => JSON.stringify({ ...drain, until, connections });
      if (request.method === 'POST') response.end(body(9));
      else answers.shift()!(response);
      if (answers.length === 0) server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, admin: `127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const cut = (response: ServerResponse) => response.destroy();

  test('goes on while a node does not answer, and has an end only where nobody listens', async () => {
    const until = new Date(Date.now() + 60_000).toISOString();
    const { admin } = await listening(
      until,
      cut,
      (response) => response.writeHead(200, { 'content-length': 50 }).write('{"', () => response.destroy()),
      (response) => response.end('no JSON'),
      (response) => response.end(JSON.stringify({ ...status, draining: { ...drain, until, connections: 5 } })),
      cut,
    );
    const { code, out } = await run('drain', '--admin', admin);
    const left = (n: number) => `draining: ${n} connections left, 401 messages in queues, 402 B to send\n`;
    expect([code, out]).toEqual([0, `${left(9)}${left(5)}the node has stopped\n`]);
  });

  test('fails where the node has not answered long after its time, or says no', async () => {
    const late = await listening(new Date(Date.now() - 15_000).toISOString(), cut, cut, cut);
    const { code, err } = await run('drain', '--admin', late.admin);
    late.server.close();
    expect([code, err]).toEqual([1, expect.stringMatching(/the node (does not answer|has not stopped by)/)]);
    const refused = await listening(new Date(Date.now() + 60_000).toISOString(), (response) => {
      response.writeHead(401).end('{"error":"unauthorized","message":"no"}');
    });
    expect(await run('drain', '--admin', refused.admin)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/refuses: no\n/),
    });
  });

  test('does not take a node for stopped that has no answer in time', async () => {
    const { server, admin } = await listening('', () => undefined, cut);
    const silent = await new AdminClient({ admin }).call({ path: '/status', timeoutMs: 50 }).catch(silence);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const gone = await new AdminClient({ admin }).call({ path: '/status' }).catch(silence);
    expect([silent, gone]).toEqual(['unknown', 'nobody listens']);
  });

  test('that takes no time, or too much, is wrong usage', async () => {
    expect(await tell({}, 'drain', '--within', '5')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/within is '5'/),
    });
  });
});
