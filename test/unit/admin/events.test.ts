/** `GET /events` over real sockets, in front of a made-up node. */
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import http from 'node:http';
import net from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { EventStream, WATCHERS_MAX } from '../../../src/main/admin/event-stream.js';
import { openApiDocument } from '../../../src/main/admin/openapi/document.js';
import type { AdminServer } from '../../../src/main/admin/server.js';
import type { DoctorReport, NodeView, PeerEnd } from '../../../src/main/api.js';
import { faultOf, operationsOf } from './description.js';
import { ban, call, fakeNode, peer, report, startAdmin, status } from './fake-node.js';

const STORM = 1000;
const end: PeerEnd = {
  id: null,
  address: '10.0.0.9:1',
  direction: 'inbound',
  code: 6,
  name: 'PeerLimitReached',
  reason: 'full',
};

interface Told {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Somebody who watches. */
interface Watcher {
  readonly response: http.IncomingMessage;
  readonly told: readonly Told[];
  readonly isEnded: () => boolean;
  leave(): void;
}

let server: AdminServer | undefined;
let node = new EventEmitter();
const watchers: Watcher[] = [];
afterEach(async () => {
  for (const watcher of watchers.splice(0)) watcher.leave();
  await server?.close();
  server = undefined;
});

function view(more: Partial<NodeView> = {}): NodeView {
  node = new EventEmitter();
  const on: NodeView['on'] = (name, listener) => node.on(name, listener as never);
  const off: NodeView['off'] = (name, listener) => node.off(name, listener as never);
  return fakeNode({ on, off, ...more });
}

async function start(): Promise<void> {
  server = await startAdmin(view());
}

function watch(): Promise<Watcher> {
  const told: Told[] = [];
  let isEnded = false;
  const [host, port] = server!.address.split(':');
  return new Promise((resolve, reject) => {
    const outgoing = http.get({ host, port, path: '/events', agent: false }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n\n');
        rest = parts.pop()!;
        told.push(...parts.map(toldBy));
      });
      for (const name of ['close', 'error']) {
        response.on(name, () => {
          isEnded = true;
        });
      }
      const watcher = { response, told, isEnded: () => isEnded, leave: () => outgoing.destroy() };
      watchers.push(watcher);
      resolve(watcher);
    });
    outgoing.on('error', reject);
  });
}

function toldBy(text: string): Told {
  const [, name, json] = /^event: (\S+)\ndata: (.*)$/.exec(text) ?? [];
  return { name, data: JSON.parse(json) };
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const named = (told: readonly Told[], name: string) => told.filter((one) => one.name === name);
const missedBy = (told: readonly Told[]) =>
  named(told, 'missed').reduce((sum, { data }) => sum + Number(data.events), 0);

describe('who watches', () => {
  test('is told the statistics at once and then every second', async () => {
    await start();
    const startMs = performance.now();
    const { response, told } = await watch();
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    await until(() => told.length === 3, 'three samples');
    // Timers may be a little early.
    expect(performance.now() - startMs).toBeGreaterThan(1900);
    for (const { name, data } of told) {
      const { time, ...rest } = data;
      expect([name, rest, new Date(String(time)).toISOString()]).toEqual(['stats', status, time]);
    }
  });

  test('is told nothing more once the token is another than the one that it came with', async () => {
    let token: string | null = null;
    server = await startAdmin(view(), () => token);
    const { told, isEnded } = await watch();
    await until(() => told.length > 0, 'the first sample');
    token = 'new';
    node.emit('peer:banned', ban);
    await until(isEnded, 'the end');
    expect(named(told, 'peer:banned')).toEqual([]);
    await until(() => node.listenerCount('peer:banned') === 0, 'nobody to listen');
  });

  test('is told what happens, as it is described', async () => {
    await start();
    const { told } = await watch();
    const happened = {
      'peer:connected': peer,
      'peer:disconnected': end,
      'peer:rejected': { ...end, reason: 'two\nlines\n\nand more' },
      'peer:banned': ban,
      'worker:restarted': { worker: 1, restarts: 2, reason: 'killed' },
    };
    for (const [name, data] of Object.entries(happened)) node.emit(name, data);
    node.emit('published', 'not for here');
    node.emit('peer:connected', peer);
    await until(() => told.length >= 7, 'all events');
    expect(told.slice(0, 7).map(({ name }) => name)).toEqual(['stats', ...Object.keys(happened), 'peer:connected']);
    const events =
      operationsOf(openApiDocument).get('GET /events')!.responses[200].content!['text/event-stream']['x-events']!;
    for (const { name, data } of told) {
      const { time, ...rest } = data;
      expect([name, time, faultOf(openApiDocument, events[name], rest)]).toEqual([name, expect.any(String), null]);
      if (name !== 'stats') expect(rest).toEqual(happened[name as keyof typeof happened]);
    }
  });

  test('is told a storm in part, and how much was left out', async () => {
    await start();
    const [first, second] = [await watch(), await watch()];
    for (let i = 0; i < STORM; i++) node.emit('peer:rejected', end);
    // Other kinds are told all the same.
    node.emit('peer:banned', ban);
    await until(() => missedBy(first.told) > 0 && missedBy(second.told) > 0, 'what was missed');
    for (const { told } of [first, second]) {
      expect(named(told, 'peer:rejected').length).toBe(100);
      expect(missedBy(told)).toBe(STORM - 100);
      expect(named(told, 'peer:banned').length).toBe(1);
    }
    // The next second has room again.
    await until(() => named(first.told, 'stats').length === 2, 'the next second');
    node.emit('peer:rejected', end);
    await until(() => named(first.told, 'peer:rejected').length === 101, 'an event after the storm');
    expect(missedBy(first.told)).toBe(STORM - 100);
  });

  test('costs nothing once nobody does', async () => {
    await start();
    expect(node.eventNames()).toEqual([]);
    const [first, second] = [await watch(), await watch()];
    expect(node.listenerCount('peer:connected')).toBe(1);
    first.leave();
    await until(() => first.isEnded(), 'the first to leave');
    node.emit('peer:connected', peer);
    await until(() => named(second.told, 'peer:connected').length === 1, 'the second to be told');
    second.leave();
    await until(() => node.eventNames().length === 0, 'the listeners to go');
    // And it begins anew.
    const third = await watch();
    node.emit('peer:connected', peer);
    await until(() => named(third.told, 'peer:connected').length === 1, 'the third to be told');
  });

  test('is gone with the connection also when the stream waits behind another answer on it', async () => {
    let answer: (found: DoctorReport) => void = () => undefined;
    const doctor = () =>
      new Promise<DoctorReport>((resolve) => {
        answer = resolve;
      });
    server = await startAdmin(view({ doctor }));
    const [host, port] = server.address.split(':');
    const socket = net.connect({ host, port: Number(port) });
    socket.write(['/doctor', '/events'].map((path) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join(''));
    await until(() => node.eventNames().length > 0, 'the watcher');
    socket.destroy();
    await until(() => node.eventNames().length === 0, 'the listeners to go');
    answer(report);
  });

  test('is turned away when enough others do, and let in when one leaves', async () => {
    await start();
    for (let i = 0; i < WATCHERS_MAX; i++) await watch();
    const unavailable = {
      status: 503,
      json: { error: 'unavailable', message: `${WATCHERS_MAX} others watch already` },
    };
    expect(await call(server!, '/events')).toMatchObject(unavailable);
    expect((await call(server!, '/status')).status).toBe(200);
    watchers[3].leave();
    let last: Watcher | undefined;
    const endMs = performance.now() + 10_000;
    while (last?.response.statusCode !== 200 && performance.now() < endMs) last = await watch();
    expect(last?.response.statusCode).toBe(200);
  });

  test('is cut off when the server stops', async () => {
    await start();
    const all = [await watch(), await watch()];
    await server!.close();
    await until(() => all.every(({ isEnded }) => isEnded()), 'the streams to end');
    await until(() => node.eventNames().length === 0, 'the listeners to go');
  });

  test('is nobody who only asks for the head', async () => {
    await start();
    const answer = await call(server!, '/events', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, text: '', headers: { 'content-type': 'text/event-stream' } });
    expect(node.eventNames()).toEqual([]);
  });
});

describe('a watcher that does not read', () => {
  /** A response whose reader takes nothing until `read`. */
  function stalled() {
    const chunks: string[] = [];
    let taken: (() => void) | null = null;
    let isReading = false;
    const response = new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        chunks.push(chunk);
        if (isReading) done();
        else taken = done;
      },
    });
    const read = (): void => {
      isReading = true;
      taken?.();
      taken = null;
    };
    return { response, chunks, read };
  }

  test('never makes memory grow, and learns how much it missed when it reads again', async () => {
    const stream = new EventStream(view(), () => null);
    const { response, chunks, read } = stalled();
    stream.add(response as unknown as ServerResponse);
    const reason = 'x'.repeat(10_000);
    const kinds = ['peer:disconnected', 'peer:rejected'];
    for (let i = 0; i < STORM; i++) for (const kind of kinds) node.emit(kind, { ...end, reason });
    // Bound and one event.
    expect(response.writableLength).toBeLessThan(256 * 1024 + 11_000);
    const sent = response.writableLength;
    await until(() => {
      read();
      return chunks.join('').includes('event: missed');
    }, 'what was missed');
    response.destroy();
    const told = chunks.join('').split('\n\n').slice(0, -1).map(toldBy);
    expect(sent).toBeGreaterThan(256 * 1024);
    expect(kinds.flatMap((kind) => named(told, kind)).length + missedBy(told)).toBe(STORM * kinds.length);
    await until(() => node.eventNames().length === 0, 'the listeners to go');
  });

  test('does not keep others from being told', async () => {
    const stream = new EventStream(view(), () => null);
    const [slow, quick] = [stalled(), stalled()];
    quick.read();
    for (const { response } of [slow, quick]) stream.add(response as unknown as ServerResponse);
    for (let i = 0; i < 100; i++) node.emit('peer:rejected', { ...end, reason: 'x'.repeat(10_000) });
    expect(quick.chunks.join('').match(/event: peer:rejected/g)).toHaveLength(100);
    for (const { response } of [slow, quick]) response.destroy();
    await until(() => node.eventNames().length === 0, 'the listeners to go');
  });
});
