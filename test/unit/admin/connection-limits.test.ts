/** What callers of the admin HTTP can hold, with sockets that behave badly. */
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  adminLimits,
  answerUnreadable,
  type ConnectionLimits,
  limitConnections,
} from '../../../src/main/admin/connection-limits.js';
import { openApiDocument } from '../../../src/main/admin/openapi/document.js';
import { faultOf } from './description.js';
import { startAdmin } from './fake-node.js';

const quick: ConnectionLimits = {
  connectionsMax: 4,
  requestTimeoutMs: 300,
  idleTimeoutMs: 300,
  stalledTimeoutMs: 1000,
};
const BIG_BYTES = 64 * 1024 * 1024;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/**
 * A server with small limits. It answers `/big` with much, `/late` when told to, anything else with `ok`. `cutOff`
 * settles when its first connection is gone on its side.
 */
async function start(): Promise<{ port: number; late: () => void; cutOff: Promise<void> }> {
  let late = (): void => undefined;
  const server = http.createServer({ connectionsCheckingInterval: 50 }, (request, response) => {
    if (request.url === '/big') response.end(Buffer.alloc(BIG_BYTES));
    else if (request.url === '/late') late = () => response.end('late');
    else response.end('ok');
  });
  server.on('clientError', answerUnreadable);
  limitConnections(server, quick);
  const cutOff = new Promise<void>((resolve) =>
    server.on('connection', (socket) => socket.on('close', () => resolve())),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, late: () => late(), cutOff };
}

/** A connection that has sent `text`. */
function caller(port: number, text = '') {
  const socket = net.connect(port, '127.0.0.1');
  let received = '';
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received)));
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  closers.push(() => socket.destroy());
  return { socket, closed, connected, received: () => received };
}

function errorIn(answer: string): unknown {
  const body: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
  expect(faultOf(openApiDocument, openApiDocument.components.schemas.Error, body)).toBe(null);
  return body;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;

describe('a caller', () => {
  test('who says nothing, or never comes to an end, is cut off', async () => {
    const { port } = await start();
    const silent = caller(port);
    const slow = caller(port, 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n');
    const trickle = setInterval(() => slow.socket.write('x: y\r\n'), 20);
    closers.push(() => clearInterval(trickle));
    const endless = caller(port, 'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{');
    for (const { closed } of [silent, slow]) {
      const answer = await closed;
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(errorIn(answer)).toMatchObject({ error: 'timeout' });
    }
    await endless.closed;
  });

  test('who keeps an answered connection is cut off', async () => {
    const { port } = await start();
    expect(await caller(port, get('/')).closed).toMatch(/^HTTP\/1\.1 200 OK\r\n.*ok$/s);
  });

  test('who does not read the answer is cut off', async () => {
    const { port, cutOff } = await start();
    const { socket, closed } = caller(port, get('/big'));
    socket.pause();
    await cutOff;
    // What has arrived can be read still.
    socket.resume();
    expect((await closed).length).toBeLessThan(BIG_BYTES);
  });

  test('who waits for an answer that takes long gets it', async () => {
    const { port, late } = await start();
    const { socket, received } = caller(port, get('/late'));
    let isClosed = false;
    socket.on('close', () => {
      isClosed = true;
    });
    await caller(port, get('/')).closed;
    await caller(port, get('/')).closed;
    expect(isClosed).toBe(false);
    late();
    while (!received().endsWith('late') && !isClosed) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(received()).toContain('late');
  });

  test('who is one too many is turned away, until the others are gone', async () => {
    const { port } = await start();
    const held = Array.from({ length: quick.connectionsMax }, () => caller(port));
    for (const { connected } of held) await connected;
    expect(await caller(port, get('/')).closed).toBe('');
    for (const { closed } of held) await closed;
    expect(await caller(port, get('/')).closed).toContain('ok');
  });
});

describe('the admin HTTP', () => {
  test('has these limits', async () => {
    expect(adminLimits.connectionsMax).toBe(64);
    const server = await startAdmin();
    closers.push(() => server.close());
    const port = Number(server.address.split(':')[1]);
    const held = Array.from({ length: adminLimits.connectionsMax }, () => caller(port));
    for (const { connected } of held) await connected;
    expect(await caller(port, get('/status')).closed).toBe('');
    held[0].socket.destroy();
    let answer = '';
    const endMs = performance.now() + 10_000;
    while (answer === '' && performance.now() < endMs) {
      answer = await caller(port, get('/status').replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')).closed;
    }
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    const late = await Promise.race(held.slice(1).map(({ closed }) => closed));
    expect(errorIn(late)).toMatchObject({ error: 'timeout' });
  });

  test('answers what is no request, and headers that are too large, as it answers anything', async () => {
    const server = await startAdmin();
    closers.push(() => server.close());
    const port = Number(server.address.split(':')[1]);
    for (const [bytes, code, error] of [
      ['\x16\x03\x01\x02\x00\x01', 400, { error: 'bad_request', field: 'request' }],
      ['nonsense\r\n\r\n', 400, { error: 'bad_request', field: 'request' }],
      [`GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, { error: 'too_large', field: 'headers' }],
    ] as const) {
      const answer = await caller(port, bytes).closed;
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
      expect(errorIn(answer)).toMatchObject(error);
    }
  });
});
