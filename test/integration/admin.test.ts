/** The admin HTTP of real nodes: as it is described, and answered while the node is at full load. */
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Node } from '../../dist/src/main/index.js';
import { type Document, faultOf, faultOfAnswer, operationsOf } from '../unit/admin/description.js';
import { type Answer, call } from '../unit/admin/fake-node.js';
import { CHAIN_ID, portOf, startNode, until } from './support/nodes.js';
import { frame, RawPeer } from './support/raw-peer.js';

const FLOODING = 8;
const IDLE = 192;
/** Far above what it takes, and far below what a person or a scraper would wait. */
const PROMPT_MS = 1000;

const floods: Worker[] = [];
afterEach(async () => {
  for (const flood of floods.splice(0)) await flood.terminate();
});

type Ask = (path: string, method?: string, body?: unknown) => Promise<Answer>;

/** Asks a node, and holds each answer against the description that the node itself gives. */
async function asking(node: Node): Promise<{ ask: Ask; description: Document; asked: Set<string> }> {
  const admin = { address: node.admin! };
  const description = (await call(admin, '/openapi.json')).json as Document;
  const asked = new Set<string>();
  const ask: Ask = async (path, method = 'GET', body = undefined) => {
    const answer = await call(admin, path, { method, body });
    asked.add(`${method} ${path}`);
    expect(faultOfAnswer(description, method, path, answer)).toBe(null);
    return answer;
  };
  return { ask, description, asked };
}

/** The events of a node, as they arrive. */
async function watch(node: Node): Promise<{ name: string; data: Record<string, unknown>; atMs: number }[]> {
  const told: { name: string; data: Record<string, unknown>; atMs: number }[] = [];
  let rest = '';
  await new Promise<void>((resolve, reject) => {
    const outgoing = http.get(`http://${node.admin}/events`, { agent: false }, (response) => {
      response.on('error', () => undefined);
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n\n');
        rest = parts.pop()!;
        for (const part of parts) {
          const [, name, json] = /^event: (\S+)\ndata: (.*)$/.exec(part)!;
          told.push({ name, data: JSON.parse(json), atMs: performance.now() });
        }
      });
      resolve();
    });
    outgoing.on('error', reject);
  });
  return told;
}

describe('a real node', () => {
  it('answers every route as it describes it', async () => {
    const other = await startNode({ nodeId: 'other' });
    const node = await startNode({ nodeId: 'one', admin: '127.0.0.1:0', pex: false });
    const { ask, description, asked } = await asking(node);
    const events = await watch(node);
    expect((await ask('/peers', 'POST', { address: other.listen })).status).toBe(200);
    const raw = await RawPeer.join(portOf(node), 'raw');
    raw.socket.write(frame('tx', Buffer.from('x')));
    await until(() => node.stats().messages.received > 0, 'a message');
    await RawPeer.join(portOf(node), 'other', '127.0.0.2');
    expect((await ask('/peers', 'POST', { address: other.listen })).status).toBe(409);
    expect((await ask('/peers', 'POST', { address: '127.0.0.1:1' })).status).toBe(502);
    expect((await ask('/peers', 'POST', { address: 'nonsense' })).status).toBe(400);
    expect((await ask('/bans', 'POST', { target: '10.0.0.0/8', for: 'forever', reason: 'test' })).status).toBe(200);
    expect((await ask('/bans', 'POST', { target: '10.0.0.1', for: 5000 })).status).toBe(200);
    expect((await ask('/broadcast', 'POST', { type: 'tx', payloadBase64: '' })).json).toEqual({ sent: 2, skipped: 0 });
    for (const path of ['/health', '/status', '/config', '/metrics', '/peers', '/addresses', '/bans', '/history']) {
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    }
    expect((await ask('/history?limit=5&code=NetworkError')).json).toMatchObject({
      entries: [{ kind: 'dial-failed' }],
    });
    expect((await ask('/peers/raw')).json).toMatchObject({ id: 'raw', messagesReceived: 1 });
    expect((await ask('/peers/nobody')).status).toBe(404);
    expect((await ask('/peers/raw', 'DELETE')).status).toBe(200);
    expect((await ask(`/bans/${encodeURIComponent('10.0.0.0/8')}`, 'DELETE')).status).toBe(200);
    expect((await ask('/bans/nonsense', 'DELETE')).status).toBe(400);
    expect((await ask('/nowhere')).status).toBe(404);
    await until(() => events.some(({ name }) => name === 'peer:disconnected'), 'the end of a peer to be told');
    const described = operationsOf(description).get('GET /events')!.responses[200].content!['text/event-stream'];
    for (const { name, data } of events) {
      const { time: _, ...rest } = data;
      expect([name, faultOf(description, described['x-events']![name], rest)]).toEqual([name, null]);
    }
    expect([...new Set(events.map(({ name }) => name))]).toEqual(
      expect.arrayContaining(['stats', 'peer:connected', 'peer:disconnected', 'peer:banned']),
    );
    expect(asked.size).toBeGreaterThan(15);
  });

  it('answers promptly while peers send as fast as it can take it', async () => {
    const limits = { maxPeers: 250, maxInbound: 240, maxOutbound: 10, minOutbound: 0, maxPerSubnet: 250 };
    const node = await startNode({ admin: '127.0.0.1:0', workers: 1, pex: false, ...limits });
    const flood = new Worker(fileURLToPath(new URL('support/flood.mjs', import.meta.url)), {
      workerData: { port: portOf(node), chainId: CHAIN_ID, flooding: FLOODING, idle: IDLE },
    });
    floods.push(flood);
    await until(() => node.peers().length === FLOODING + IDLE, 'all peers', 20_000);
    await until(() => node.stats().messages.received > 1000, 'the flood');
    const { ask } = await asking(node);
    const events = await watch(node);
    const before = node.stats().messages.received;
    const times: Record<string, number[]> = { '/status': [], '/peers': [], '/metrics': [], '/health': [] };
    for (let round = 0; round < 40; round++) {
      for (const [path, all] of Object.entries(times)) {
        const startMs = performance.now();
        expect((await call({ address: node.admin! }, path)).status).toBe(200);
        all.push(performance.now() - startMs);
      }
    }
    await until(() => events.filter(({ name }) => name === 'stats').length >= 3, 'three samples', 3 * 1000 + PROMPT_MS);
    expect(node.stats().messages.received).toBeGreaterThan(before);
    for (const [path, all] of Object.entries(times)) {
      const p99 = all.sort((a, b) => a - b)[Math.floor(0.99 * all.length)];
      expect([path, p99 < PROMPT_MS, p99]).toEqual([path, true, p99]);
    }
    expect(((await ask('/peers')).json as { peers: unknown[] }).peers).toHaveLength(FLOODING + IDLE);
  });
});
