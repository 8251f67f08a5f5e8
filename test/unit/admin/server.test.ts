/** The admin HTTP over a real socket, in front of a made-up node. */
import net from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { AdminServer } from '../../../src/main/admin/server.js';
import type { NodeHealth, NodeView } from '../../../src/main/api.js';
import { type Answer, call, fakeNode, startAdmin, status } from './fake-node.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(more: { token?: string; view?: Partial<NodeView> } = {}): Promise<AdminServer> {
  server = await startAdmin(more.view, more.token ?? null);
  return server;
}

function request(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return call(server!, path, { method, headers });
}

describe('the admin HTTP', () => {
  test('tells the status as the node does', async () => {
    await start();
    const answer = await request('/status');
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, status]);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('tells health with 200 while the node is well and 503 with reasons while not', async () => {
    const health: { now: NodeHealth } = { now: { ok: true, reasons: [], degraded: ['no peers'] } };
    await start({ view: { health: () => health.now } });
    expect(await request('/health')).toMatchObject({ status: 200, text: JSON.stringify(health.now) });
    health.now = { ok: false, reasons: ['worker 1 is gone'], degraded: [] };
    expect(await request('/health')).toMatchObject({ status: 503, text: JSON.stringify(health.now) });
  });

  test('answers anything else with 404 and an error', async () => {
    await start();
    for (const [path, method] of [
      ['/nothing', 'GET'],
      ['/status', 'POST'],
      ['/status/x', 'GET'],
    ] as const) {
      const answer = await request(path, {}, method);
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        404,
        { error: 'not_found', message: `there is no ${method} ${path}` },
      ]);
    }
  });

  test('answers a failure of the node with 500 and no detail', async () => {
    await start({
      view: {
        status: () => {
          throw new Error('a detail');
        },
      },
    });
    const answer = await request('/status');
    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.text)).toMatchObject({ error: 'internal' });
    expect(answer.text).not.toContain('a detail');
  });

  test('logs such a failure with its kind and place, never with token, query or what the error says', async () => {
    const lines: string[] = [];
    const fail = () => {
      throw Object.assign(new TypeError('a-payload'), {
        body: 'a-payload',
        headers: { authorization: 'Bearer s3cret' },
      });
    };
    server = await AdminServer.start({
      node: fakeNode({ eachHistory: fail }),
      host: '127.0.0.1',
      port: 0,
      token: () => 's3cret',
      logger: pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }),
    });
    expect((await request('/history?limit=7654', { authorization: 'Bearer s3cret' })).status).toBe(500);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { error: 'TypeError', method: 'GET', path: '/history', msg: 'admin request failed' },
    ]);
    expect(lines.join()).not.toMatch(/s3cret|a-payload|7654/);
  });
});

describe('metrics', () => {
  test('have the names and labels that outsiders rely on, at the values of the status', async () => {
    await start();
    await request('/metrics');
    const answer = await request('/metrics');
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4');
    for (const line of [
      'paw_p2p_peers{direction="inbound"} 2',
      'paw_p2p_peers{direction="outbound"} 1',
      'paw_p2p_messages_received_total{type="tx"} 25',
      'paw_p2p_messages_received_total{type="a\\"b\\\\"} 5',
      'paw_p2p_messages_sent_total{type="ping"} 20',
      'paw_p2p_messages_unhandled_total 5',
      'paw_p2p_bytes_received_total 1000',
      'paw_p2p_bytes_sent_total 2000',
      'paw_p2p_connections_total{direction="inbound"} 6',
      'paw_p2p_handshakes_failed_total{code="HandshakeTimeout"} 1',
      'paw_p2p_disconnects_total{code="IdlePeer"} 2',
      'paw_p2p_frames_dropped_total{code="InvalidMessageFormat"} 4',
      'paw_p2p_dials_total{result="failed"} 2',
      'paw_p2p_worker_lag_seconds{worker="0"} 0.0015',
      'paw_p2p_event_loop_lag_seconds 0.002',
      'paw_p2p_addresses_known 101',
      'paw_p2p_addresses_tried 102',
      'paw_p2p_pex_received_total 103',
      'paw_p2p_pex_sent_total 104',
      'paw_p2p_addresses_learned_total 105',
      'paw_p2p_crawls_total{result="succeeded"} 100',
      'paw_p2p_crawls_total{result="failed"} 6',
      'paw_p2p_crawls_answered_total{result="served"} 107',
      'paw_p2p_crawls_answered_total{result="refused"} 108',
      'paw_p2p_feelers_total 109',
      'paw_p2p_evictions_total 110',
      'paw_p2p_bans 111',
      'paw_p2p_gossip_relayed_total 201',
      'paw_p2p_gossip_duplicates_total 202',
      'paw_p2p_gossip_forgotten_total 203',
    ]) {
      expect(answer.text.split('\n')).toContain(line);
    }
  });

  test('have the prefix, a help text, and _total if and only if they are counters', async () => {
    await start();
    const { text } = await request('/metrics');
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => ({ name, type }));
    expect(types.length).toBeGreaterThan(30);
    for (const { name, type } of types) {
      expect([name, /^paw_p2p_/.test(name), name.endsWith('_total')]).toEqual([name, true, type === 'counter']);
      expect(text).toMatch(new RegExp(`^# HELP ${name} \\S+ \\S+`, 'm'));
    }
  });
});

describe('access', () => {
  test('with a token is by that token alone, on every path', async () => {
    await start({ token: 's3cret' });
    expect((await request('/status', { authorization: 'Bearer s3cret', host: 'node.example' })).status).toBe(200);
    for (const path of ['/status', '/health', '/metrics', '/nowhere']) {
      for (const authorization of [undefined, 'Bearer wrong', 'Bearer s3cretx', 'Basic s3cret', 's3cret', 'Bearer ']) {
        const answer = await request(path, authorization === undefined ? {} : { authorization });
        expect([path, authorization, answer.status]).toEqual([path, authorization, 401]);
        expect(JSON.parse(answer.text)).toMatchObject({ error: 'unauthorized' });
      }
    }
  });

  test('without a token is only by address or localhost, so that no page can be rebound to it', async () => {
    await start();
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:26660', '[::1]:26660', '10.0.0.1']) {
      expect([host, (await request('/status', { host })).status]).toEqual([host, 200]);
    }
    for (const host of ['evil.example', 'localhost.evil.example:26660', '127.0.0.1.evil.example', 'localhost:x']) {
      expect([host, (await request('/status', { host })).status]).toEqual([host, 403]);
    }
  });
});

describe('start and stop', () => {
  test('a port in use is told on one line', async () => {
    const { address } = await start();
    const port = Number(address.split(':')[1]);
    const message = `admin can't listen on ${address}: the port is in use; name another with --admin`;
    const options = { node: fakeNode(), host: '127.0.0.1', port, token: () => null, logger: pino({ level: 'silent' }) };
    await expect(AdminServer.start(options)).rejects.toMatchObject({
      code: 'ERR_PAW_LISTEN',
      message,
    });
  });

  test('a connection that says nothing does not keep it from stopping', async () => {
    const { address } = await start();
    const idle = net.connect(Number(address.split(':')[1]), '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const ended = new Promise((resolve) => idle.once('close', resolve));
    idle.on('error', () => undefined);
    await server!.close();
    await ended;
  });
});
