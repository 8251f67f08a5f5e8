import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { DoctorReport, Finding, Node, NodeOptions } from '../../dist/src/main/index.js';
import { Store } from '../../dist/src/main/store/store.js';
import { closedPort, listenAs } from './support/false-seed.js';
import { CHAIN_ID, handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

/** A node whose network is this machine. */
function startLocal(options: NodeOptions = {}): ReturnType<typeof startNode> {
  return startNode({ nonStrictAddresses: true, workers: 1, minOutbound: 0, ...options });
}

async function find(node: Node, check: string): Promise<Finding> {
  return of(await node.doctor(), check);
}

function of({ findings }: DoctorReport, check: string): Finding {
  return findings.find((finding) => finding.check === check)!;
}

/** Examines a node until a check comes out at a level. */
async function findLevel(node: Node, check: string, level: Finding['level'], timeoutMs = 10_000): Promise<Finding> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const finding = await find(node, check);
    if (finding.level === level) return finding;
    if (performance.now() > endMs) throw new Error(`waited for ${level}: ${JSON.stringify(finding)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function pex(peers: readonly object[], timeMs = Date.now()): Buffer {
  return Buffer.from(JSON.stringify({ timestamp: new Date(timeMs).toISOString(), peers }));
}

/** Has a peer tell something, and waits until it was read. */
async function tell(node: Node, from: string, id: string, message: Buffer): Promise<void> {
  const before = node.stats().discovery.pexReceived;
  const peer = await RawPeer.join(portOf(node), id, from);
  peer.send('pex/peers', message);
  await until(() => node.stats().discovery.pexReceived > before, 'the message');
}

/** Runs a script with `createNode` in a process of its own, behind a shell's prefix. @returns what it printed */
async function inProcess(prefix: string, body: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'paw-doctor-'));
  const script = `
    import { createNode } from ${JSON.stringify(new URL('../../dist/src/main/index.js', import.meta.url).href)};
    import { openSync } from 'node:fs';
    process.on('SIGXFSZ', () => undefined);
    const node = await createNode({ chainId: 'paw-test', dataDir: ${JSON.stringify(folder)}, listen: '127.0.0.1:0',
      admin: 'off', logLevel: 'silent', nonStrictAddresses: true, minOutbound: 0, workers: 1 });
    const find = async (check) => (await node.doctor()).findings.find((finding) => finding.check === check);
    ${body}
    process.exit(0);`;
  const child = spawn('bash', ['-c', `${prefix} exec ${process.execPath} --input-type=module -e "$SCRIPT"`], {
    env: { ...process.env, SCRIPT: script },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  await new Promise((resolve) => child.once('close', resolve));
  rmSync(folder, { recursive: true, force: true });
  return JSON.parse(out);
}

describe('the doctor of a node', () => {
  it('finds it reached on loopback by its own dial, which leaves no trace and no limit or ban stops', async () => {
    const node = await startLocal({ maxPeers: 1, maxInbound: 1, maxOutbound: 1 });
    const { listen } = node;
    node.ban('127.0.0.1', { for: '1h' });
    const peer = await RawPeer.join(portOf(node), 'stranger', '127.99.0.1');
    await until(() => node.peers().length === 1, 'the only place to be taken');
    const came = await find(node, 'reachable');
    expect(came).toMatchObject({ level: 'ok', summary: expect.stringContaining('1 inbound peer from outside now') });
    expect(came.evidence).toContain(`the listening address ${listen}: our own dial gets here`);
    await until(() => node.stats().connections.handshaking === 0, 'the dial to be over');
    const { connections, dials, discovery } = node.stats();
    expect([connections.rejectedInbound, connections.total, dials.succeeded + dials.failed]).toEqual([0, 1, 0]);
    expect([discovery.known, node.addresses(), node.peers().map(({ id }) => id)]).toEqual([0, [], ['stranger']]);
    expect(node.history().map(({ kind }) => kind)).toEqual(['banned']);
    peer.socket.destroy();
  });

  it('finds a young node without peers reached on loopback', async () => {
    const node = await startLocal();
    expect(await find(node, 'reachable')).toMatchObject({
      level: 'ok',
      summary: `This node is reached at ${node.listen}, on this machine.`,
    });
    expect((await find(node, 'address')).level).toBe('ok');
  });

  it('finds an address on loopback wrong for the internet', async () => {
    const node = await startNode({ workers: 1 });
    expect(await find(node, 'address')).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('set nonStrictAddresses'),
    });
    expect((await find(node, 'reachable')).level).toBe('fail');
  });

  it('orders what it finds, the worst first, and answers all who ask at once with one examination', async () => {
    const node = await startNode({ workers: 1 });
    const [one, other] = await Promise.all([node.doctor(), node.doctor()]);
    expect(one).toBe(other);
    const levels = one.findings.map(({ level }) => level);
    const rank = ['fail', 'warn', 'unknown', 'ok'];
    expect(levels).toEqual([...levels].sort((a, b) => rank.indexOf(a) - rank.indexOf(b)));
    expect([one.level, Date.now() - Date.parse(one.time) < 5000]).toEqual(['fail', true]);
    expect(await node.doctor()).not.toBe(one);
  });

  it('has answered within 5 s whoever is silent, and gives up when the node closes', async () => {
    const silent = await listenAs(() => undefined);
    const node = await startLocal({ externalAddress: silent, dialTimeout: '60s' });
    const startMs = performance.now();
    const finding = await find(node, 'reachable');
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(finding.evidence.join('\n')).toContain(`externalAddress ${silent}: our own dial failed`);
    const other = await startLocal({ externalAddress: await listenAs(() => undefined), dialTimeout: '60s' });
    const asked = other.doctor();
    const closeMs = performance.now();
    await other.close();
    await asked;
    expect(performance.now() - closeMs).toBeLessThan(2000);
    await expect(other.doctor()).rejects.toMatchObject({ code: 'ERR_PAW_CLOSED' });
  });
});

describe('a wrong external address', () => {
  it('that leads to another node is found, which keeps nothing of the dial but that somebody came and went', async () => {
    const other = await startLocal();
    const node = await startLocal({ externalAddress: other.listen });
    expect(await find(node, 'address')).toMatchObject({
      level: 'fail',
      summary: `externalAddress ${other.listen} leads to another node.`,
      evidence: expect.arrayContaining([`externalAddress ${other.listen}: node ${other.nodeId} answers there`]),
    });
    expect((await find(node, 'reachable')).level).toBe('fail');
    await until(() => other.peers().length === 0, 'the dial to be over');
    expect(other.addresses()).toEqual([]);
  });

  it('that leads to a node of another chain, or to a copy of this one, is told as that', async () => {
    const foreign = await startLocal({ chainId: 'other' });
    const stray = await startLocal({ externalAddress: foreign.listen });
    expect((await find(stray, 'address')).evidence.join()).toMatch(/another node answers there: .*chain/);
    const twin = await startLocal({ nodeId: 'same' });
    const node = await startLocal({ nodeId: 'same', externalAddress: twin.listen });
    expect((await find(node, 'address')).summary).toContain("another node shows this node's ID");
  });

  it('whose name nobody knows, or that is not routable, is told to nobody', async () => {
    const nameless = await startLocal({ externalAddress: 'nosuchhost.invalid:1' });
    expect(await find(nameless, 'address')).toMatchObject({
      level: 'fail',
      summary: expect.stringContaining('does not resolve'),
    });
    const local = await startNode({ externalAddress: '127.0.0.1:1', workers: 1 });
    expect((await find(local, 'address')).summary).toContain('the internet does not route');
  });
});

describe('seeds that fail', () => {
  it('are told each with why', async () => {
    const refused = await closedPort();
    const silent = await listenAs(() => undefined);
    const wrong = await listenAs((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const node = await startLocal({ seeds: [refused, silent, wrong, 'nosuchhost.invalid:1'], dialTimeout: '500ms' });
    await until(() => node.stats().discovery.crawls >= 4, 'all seeds to be asked', 20_000);
    const { level, evidence, remedy } = await find(node, 'seeds');
    expect(level).toBe('fail');
    expect(evidence.map((line) => line.replace(/asked \d+s ago/, 'asked'))).toEqual([
      `${refused}: asked, failed: ECONNREFUSED`,
      `${silent}: asked, failed: no whole answer in time`,
      expect.stringMatching(`^${wrong}: asked, failed: more than 1000 peers promised`),
      expect.stringMatching(/^nosuchhost\.invalid:1: asked, failed: the name is not known/),
    ]);
    for (const name of [refused, silent, wrong, 'nosuchhost.invalid:1']) expect(remedy).toContain(`(${name})`);
  }, 40_000);

  it('are no matter once others have answered and peers are there', async () => {
    const seed = await startLocal();
    const node = await startLocal({ seeds: [seed.listen], minOutbound: 1 });
    await until(() => node.peers().length === 1, 'a peer');
    expect((await find(node, 'seeds')).level).toBe('ok');
    expect(await find(node, 'peers')).toMatchObject({ level: 'ok', summary: expect.stringMatching(/^1 peer /) });
    expect((await find(node, 'chain')).level).toBe('ok');
  });
});

describe('a wrong ID', () => {
  it('of the chain is found when all who are dialled are of another', async () => {
    const other = await startLocal({ chainId: 'paw-elsewhere' });
    const node = await startLocal({ seeds: [other.listen], minOutbound: 1 });
    const { summary, evidence } = await findLevel(node, 'chain', 'fail');
    expect(summary).toContain(`another chain than '${CHAIN_ID}'`);
    expect(evidence.join('\n')).toContain('paw-elsewhere');
  });

  it('of a persistent peer is found, and named', async () => {
    const other = await startLocal({ nodeId: 'right' });
    const node = await startLocal({ persistentPeers: [`wrong@${other.listen}`] });
    const { summary, evidence } = await findLevel(node, 'persistent', 'fail');
    expect(summary).toContain(`wrong@${other.listen}`);
    expect(evidence.join('\n')).toContain('dialled wrong, found right');
  });
});

describe('limits that keep others out', () => {
  /** Who is refused reads the answer before the refusal stands in history. */
  const untilRefused = (node: Node, count: number) =>
    until(() => node.history({}).filter(({ kind }) => kind === 'rejected').length === count, `${count} refusals`);

  it('are told when all inbound places are taken', async () => {
    const node = await startLocal({ maxInbound: 2 });
    for (let i = 0; i < 4; i++) await RawPeer.join(portOf(node), `p${i}`, `127.90.${i}.1`);
    await untilRefused(node, 2);
    const { summary, remedy } = await findLevel(node, 'limits', 'warn');
    expect(summary).toBe('All places for inbound peers are taken; 2 were refused within the last hour.');
    expect(remedy).toContain('Raise maxInbound (2)');
  });

  it('are told apart when it is that of a subnet', async () => {
    const node = await startLocal({ maxPerSubnet: 1 });
    for (let i = 0; i < 12; i++) await RawPeer.join(portOf(node), `p${i}`, '127.90.0.1');
    await untilRefused(node, 11);
    expect((await findLevel(node, 'limits', 'warn')).summary).toBe(
      'maxPerSubnet refused 11 inbound peers within the last hour.',
    );
  });
});

describe('a worker that is the bottleneck', () => {
  const ms = (count: number) => {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(count);
    return payload;
  };

  it('is found while a handler holds it, with whose message that is', async () => {
    const node = await startLocal({ handlers: [handlerModule('busy.mjs')] });
    const peer = await RawPeer.join(portOf(node), 'heavy');
    peer.send('busy', ms(4000));
    expect((await findLevel(node, 'workers', 'fail')).summary).toMatch(
      /^Worker 0 has been busy for .* with a message of type 'busy' that peer heavy sent/,
    );
  });

  it('is told with the type whose handler is slow', async () => {
    const node = await startLocal({ handlers: [handlerModule('busy.mjs')] });
    const peer = await RawPeer.join(portOf(node));
    peer.send('busy', ms(150));
    peer.send('ping', Buffer.of(1));
    await peer.frame('pong');
    // A worker tells its times at the end of its turn.
    await until(() => (node.timings().handlers.busy?.sumSeconds ?? 0) > 0, 'the time of the handler');
    const { evidence } = await find(node, 'workers');
    expect(evidence.join('\n')).toMatch(/slowest handlers since the start: busy \d+ ms \(1\)/);
  });

  it('is found when it falls behind', async () => {
    const node = await startLocal({ handlers: [handlerModule('busy.mjs')] });
    const peer = await RawPeer.join(portOf(node));
    const other = await RawPeer.join(portOf(node), 'other');
    const sender = setInterval(() => {
      peer.send('busy', ms(150));
      other.send('ping', Buffer.of(1));
    }, 100);
    const found = await findLevel(node, 'workers', 'warn').finally(() => clearInterval(sender));
    expect(found.summary).toMatch(/^The only worker is \d+ ms behind/);
  });

  it('is found when its queues fill', async () => {
    const node = await startLocal({ handlers: [handlerModule('slow.mjs')] });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(Array.from({ length: 2000 }, () => frame('slow', Buffer.of(1)))));
    expect((await findLevel(node, 'workers', 'warn')).summary).toMatch(
      /messages wait in the handler queues of worker 0/,
    );
  });

  it('is found when it has died', async () => {
    const node = await startLocal({ handlers: [handlerModule('mortal.mjs')] });
    const peer = await RawPeer.join(portOf(node));
    peer.send('throwLater');
    await until(() => node.stats().workers[0]!.restarts === 1, 'the restart');
    expect((await findLevel(node, 'workers', 'warn')).summary).toMatch(
      /^Worker 0 died 1 time within the last hour: Error at .*mortal\.mjs:\d+/,
    );
  });
});

describe('a peer that does not read', () => {
  /** Broadcasts to somebody who reads nothing until a condition holds. */
  async function pourUntil(node: Node, isEnough: () => boolean): Promise<void> {
    const peer = await RawPeer.join(portOf(node), 'deaf');
    peer.socket.pause();
    await until(() => {
      node.broadcast('news', Buffer.alloc(256 * 1024));
      return isEnough();
    }, 'memory to fill');
  }

  it('is named', async () => {
    const node = await startLocal({ sendQueue: '64KiB', writeTimeout: '60s' });
    await pourUntil(node, () => node.stats().messages.sendsSkipped > 0);
    const { summary, evidence } = await findLevel(node, 'slow-peers', 'warn');
    expect(summary).toBe('Peers that read more slowly than we send: deaf.');
    expect(evidence.join('\n')).toMatch(/deaf at 127\.0\.0\.1:\d+: .* wait for it/);
  });

  it('brings memory near its budget, which is told before it is out', async () => {
    const node = await startLocal({
      ...{ memoryBudget: '8MiB', ringSize: '4KiB', gossipCache: '64KiB', outboundRing: '64KiB', maxPeers: 10 },
      ...{ maxInbound: 5, maxOutbound: 5, sendQueue: '64MiB', writeTimeout: '60s' },
    });
    expect((await find(node, 'memory')).level).toBe('ok');
    await pourUntil(node, () => node.stats().memory.used > 7.9 * 2 ** 20 || node.stats().messages.sendsSkipped > 0);
    const { level, summary, evidence } = await find(node, 'memory');
    expect(['warn', 'fail']).toContain(level);
    expect(summary).toMatch(/^\d+% of the memory for frames and queues is used/);
    expect(evidence.join('\n')).toMatch(/MiB wait to be sent to peers/);
  });
});

describe('the clock', () => {
  const LATE_MS = 3_600_000;

  it('is doubted when three netgroups tell another time', async () => {
    const node = await startLocal();
    for (const i of [1, 2]) await tell(node, `127.9${i}.0.1`, `p${i}`, pex([], Date.now() + LATE_MS));
    expect((await find(node, 'clock')).level).toBe('unknown');
    await tell(node, '127.93.0.1', 'p3', pex([], Date.now() + LATE_MS));
    expect(await find(node, 'clock')).toMatchObject({
      level: 'warn',
      summary: expect.stringMatching(/is (59m|1h).* slow/),
    });
  });

  it('is not doubted for what one netgroup says, however many come from it', async () => {
    const node = await startLocal();
    for (let i = 1; i <= 6; i++) await tell(node, `127.94.${i}.1`, `p${i}`, pex([], Date.now() + LATE_MS));
    expect(await find(node, 'clock')).toMatchObject({
      level: 'unknown',
      summary: expect.stringContaining('1 of the 3'),
    });
  });

  it('is doubted when the last run ended in the future', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paw-future-'));
    const log = pino({ level: 'silent' });
    const store = await Store.open(dataDir, { log, onFault: () => undefined });
    store.put('meta', 'lifetime', { notedMs: Date.now() + LATE_MS });
    await store.close();
    const node = await startLocal({ dataDir });
    expect((await find(node, 'clock')).summary).toMatch(/^By this clock the last run ended in the future/);
    await node.close();
    // What was noted now is right.
    const again = await startLocal({ dataDir });
    expect((await find(again, 'clock')).level).toBe('unknown');
    rmSync(dataDir, { recursive: true, force: true });
  });
});

describe('what others tell for the node’s own ID', () => {
  it('is dialled only when several netgroups tell it, and shows who borrows the ID', async () => {
    let dials = 0;
    const liar = await listenAs((socket) => {
      dials++;
      socket.once('data', () => socket.write(handshakeBytes(CHAIN_ID, 'me')));
    }, '127.77.0.1');
    const node = await startLocal({ nodeId: 'me' });
    const [address, port] = liar.split(':');
    const lie = pex([{ id: 'me', address, port: Number(port) }]);
    for (let i = 1; i <= 4; i++) await tell(node, `127.95.${i}.1`, `p${i}`, lie);
    const alone = await find(node, 'address');
    expect([alone.level, dials]).toEqual(['ok', 0]);
    expect(alone.evidence).toContain(`given by 1 netgroup for this node's ID: ${liar}: not dialled`);
    await tell(node, '127.96.0.1', 'q', lie);
    expect(await find(node, 'address')).toMatchObject({
      level: 'warn',
      summary: `At ${liar} another node shows this node's ID.`,
    });
    // Whoever watches does not dial others every second.
    for (let i = 0; i < 5; i++) await node.doctor();
    expect(dials).toBe(1);
    expect(node.addresses()).toEqual([]);
  });

  it('by a crawled seed counts as well', async () => {
    const list = Buffer.concat([Buffer.of(0, 1, 2), Buffer.from('me'), Buffer.of(0, 9, 10), Buffer.from('127.78.0.1')]);
    const seed = await listenAs((socket) => void socket.once('data', () => socket.end(list)));
    const node = await startLocal({ nodeId: 'me', seeds: [seed], minOutbound: 1 });
    await until(() => node.stats().discovery.crawls > 0, 'the crawl');
    const { evidence } = await find(node, 'address');
    expect(evidence).toContain("given by 1 netgroup for this node's ID: 127.78.0.1:9: not dialled");
  });
});

describe('a machine that is short of something', () => {
  it('such as file descriptors is told that, also once none is left', async () => {
    const body = `
      const low = await find('files');
      const held = [];
      const fill = (upTo) => { while (held.length < upTo) { try { held.push(openSync('/dev/null', 'r')); } catch { return; } } };
      fill(210);
      const near = await find('files');
      fill(10_000);
      const out = await find('files');
      console.log(JSON.stringify({ low, near, out }));`;
    expect(await inProcess('ulimit -n 256;', body)).toMatchObject({
      low: { level: 'warn', summary: expect.stringContaining('The limit of 256 file descriptors is too low') },
      near: { level: 'fail', summary: expect.stringContaining('of 256 file descriptors are open') },
      out: { level: 'fail', remedy: expect.stringContaining('ulimit -n') },
    });
  }, 40_000);

  it('such as room on its disk is told that', async () => {
    // A limit on the size of files stands in for a full disk: 2 MiB in blocks of 1 KiB, as bash counts.
    const body = `
      for (let i = 0; i < 20000; i++) node.ban('10.' + (i >> 8) + '.' + (i & 255) + '.1', { reason: 'x'.repeat(400) });
      let disk = await find('disk');
      for (let tries = 0; tries < 500 && disk.level !== 'fail'; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        disk = await find('disk');
      }
      console.log(JSON.stringify(disk));`;
    expect(await inProcess('ulimit -f 2048;', body)).toMatchObject({
      level: 'fail',
      summary: expect.stringMatching(/^The store can't be written: /),
    });
  }, 60_000);

  it('such as time for its main thread is told that', async () => {
    const node = await startLocal();
    await new Promise((resolve) => setImmediate(resolve));
    const endMs = performance.now() + 700;
    while (performance.now() < endMs);
    expect((await findLevel(node, 'main-thread', 'warn')).summary).toMatch(/^The main thread is late, by \d{3,} ms/);
  });
});
