/** The admin HTTP over a real socket, in front of a made-up node. */
import http from 'node:http';
import net from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { AdminServer } from '../../../src/main/admin/server.js';
import type { NodeHealth, NodeStatus, NodeView } from '../../../src/main/api.js';

const status: NodeStatus = {
  nodeId: 'node-a',
  chainId: 'paw-test',
  version: '0.1.0',
  uptimeSeconds: 12.5,
  listen: '127.0.0.1:26656',
  admin: '127.0.0.1:26660',
  peers: { total: 3, inbound: 2, outbound: 1 },
  messages: {
    received: 30,
    sent: 20,
    dropped: 4,
    unhandled: 5,
    receivedByType: { tx: 25, 'a"b\\': 5 },
    sentByType: { ping: 20 },
    droppedByCode: { InvalidMessageFormat: 4 },
    sendsSkipped: 6,
    queueDropped: 7,
    handlerErrors: 8,
  },
  bytes: { received: 1000, sent: 2000 },
  connections: {
    total: 9,
    inbound: 6,
    outbound: 3,
    rejectedInbound: 1,
    handshaking: 2,
    handshakesFailedByCode: { HandshakeTimeout: 1 },
    disconnectsByCode: { IdlePeer: 2 },
  },
  dials: { succeeded: 3, failed: 2, queued: 1, dropped: 4 },
  workers: [
    { messages: 10, lagMs: 1.5, restarts: 0 },
    { messages: 20, lagMs: 0, restarts: 1 },
  ],
  memory: { rss: 100, budget: 300, used: 200 },
  eventLoopLagMs: 2,
};

const local = { host: '127.0.0.1', port: 0, token: null, logger: pino({ level: 'silent' }) };

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(more: { token?: string; view?: Partial<NodeView> } = {}): Promise<AdminServer> {
  const view: NodeView = {
    status: () => status,
    health: () => ({ ok: true, reasons: [], degraded: ['no peers'] }),
    ...more.view,
  };
  server = await AdminServer.start({ ...local, node: view, token: more.token ?? null });
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** Not `fetch`, which lets nobody choose the Host. */
function request(path: string, headers: http.OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> {
  const [host, port] = server!.address.split(':');
  return new Promise((resolve, reject) => {
    const call = http.request({ host, port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    call.on('error', reject).end();
  });
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
      ['/', 'GET'],
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
    ]) {
      expect(answer.text.split('\n')).toContain(line);
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
    const view = { status: () => status, health: () => ({ ok: true, reasons: [], degraded: [] }) };
    await expect(AdminServer.start({ ...local, node: view, port })).rejects.toMatchObject({
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
