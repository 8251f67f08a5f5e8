/** The commands and routes about peers, bans and history, against real nodes. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Program, type Ready, run, startNodeCommand } from './program.js';

const chain = ['--chain-id', 'paw-e2e'];
/** Nodes that know each other's addresses and leave it to the commands whom they dial. */
const telling = ['--non-strict-addresses', '--min-outbound', '0'];
const loopback = [...telling, '--no-pex'];

async function startTwo(options = loopback): Promise<[Ready, Ready]> {
  const nodes = await Promise.all([startNodeCommand(options), startNodeCommand(options)]);
  return [nodes[0].ready, nodes[1].ready];
}

function jsonOf({ stdout }: { stdout: string }): unknown {
  return JSON.parse(stdout);
}

/** A port of loopback that nothing listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('dial, peers and disconnect', () => {
  it('make, show and end a connection, and history tells of it', async () => {
    const [one, two] = await startTwo();
    const at = ['--admin', one.admin];
    expect(await run(['peers', ...at])).toEqual({ code: 0, stdout: 'no peers\n', stderr: '' });
    expect(await run(['dial', two.listen, ...at])).toEqual({
      code: 0,
      stdout: `connected to ${two.nodeId}@${two.listen}\n`,
      stderr: '',
    });
    const peers = await run(['peers', ...at]);
    expect(peers).toMatchObject({ code: 0, stderr: '' });
    expect(peers.stdout.split('\n')[1]).toMatch(new RegExp(`^${two.nodeId}  ${two.listen}  outbound  .*Connected`));
    expect(jsonOf(await run(['peers', ...at, '--json']))).toMatchObject({
      peers: [{ id: two.nodeId, address: two.listen, direction: 'outbound', state: 'Connected', persistent: false }],
    });
    const single = await fetch(`http://${one.admin}/peers/${two.nodeId}`);
    expect([single.status, await single.json()]).toEqual([200, expect.objectContaining({ id: two.nodeId })]);
    const again = await run(['dial', two.listen, ...at]);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toMatch(/^paw-p2p: .* \(0x40 DuplicateConnection\)\n$/);
    expect(await run(['disconnect', two.nodeId, ...at])).toEqual({
      code: 0,
      stdout: `disconnected ${two.nodeId}\n`,
      stderr: '',
    });
    expect(await run(['disconnect', two.nodeId, ...at])).toMatchObject({ code: 1, stdout: '' });
    expect(jsonOf(await run(['history', '--admin', two.admin, '--json']))).toMatchObject({
      entries: expect.arrayContaining([expect.objectContaining({ kind: 'disconnected', peerId: one.nodeId })]),
    });
  });

  it('tell on one line why a dial failed, and history has it by its code', async () => {
    const { ready } = await startNodeCommand(loopback);
    const at = ['--admin', ready.admin];
    const nowhere = `127.0.0.1:${await freePort()}`;
    const failed = await run(['dial', nowhere, ...at]);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(new RegExp(`^paw-p2p: ${nowhere}: .*ECONNREFUSED.* \\(0x08 NetworkError\\)\\n$`));
    for (const code of ['NetworkError', '8', '0x08']) {
      expect(jsonOf(await run(['history', '--code', code, ...at, '--json']))).toMatchObject({
        entries: [{ kind: 'dial-failed', code: 8, name: 'NetworkError', address: nowhere }],
      });
    }
    expect(await run(['history', '--code', 'Banned', ...at])).toMatchObject({ code: 0, stdout: 'no history\n' });
    const table = await run(['history', '--limit', '1', ...at]);
    expect(table.stdout).toMatch(/^time .*\n.* dial-failed +NetworkError .*\n$/);
  });

  it.each([
    [['dial', 'nonsense'], /^paw-p2p: address is 'nonsense' \(argument\): must be/],
    [['history', '--code', 'NoSuchCode'], /^paw-p2p: code is 'NoSuchCode' \(--code\): must be/],
    [['ban', 'nonsense'], /^paw-p2p: target.*nonsense/],
    [['unban', '1.2.3.4/99'], /^paw-p2p: target.*1\.2\.3\.4\/99/],
    [['ban', '1.2.3.4', '--for', 'soon'], /^paw-p2p: for.*soon/],
  ])('%j names the wrong argument, exit code 2', async (args, message) => {
    const { ready } = await startNodeCommand(loopback);
    const { code, stdout, stderr } = await run([...args, '--admin', ready.admin]);
    expect(stderr).toMatch(message);
    expect([code, stdout, stderr.trimEnd().split('\n').length]).toEqual([2, '', 1]);
  });
});

describe('ban, bans and unban', () => {
  it('keep somebody out until the ban is lifted', async () => {
    const [one, two] = await startTwo();
    const at = ['--admin', one.admin];
    expect((await run(['dial', two.listen, ...at])).code).toBe(0);
    const banned = await run(['ban', '127.0.0.0/8', '--for', '24h', '--reason', 'a test', ...at]);
    expect(banned).toMatchObject({ code: 0, stderr: '' });
    expect(banned.stdout).toMatch(/^banned 127\.0\.0\.0\/8 until \d{4}-\S+Z\n$/);
    const watched = new Program(['peers', ...at, '--watch']);
    await watched.line('no peers');
    watched.child.kill('SIGINT');
    expect((await watched.exit).code).toBe(0);
    const refused = await run(['dial', two.listen, ...at]);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/\(0x46 Banned\)\n$/);
    expect((await run(['bans', ...at])).stdout).toMatch(/^target .*\n127\.0\.0\.0\/8 .* a test\n1 ban\n$/);
    expect(await run(['unban', '127.0.0.0/8', ...at])).toEqual({
      code: 0,
      stdout: 'lifted the ban of 127.0.0.0/8\n',
      stderr: '',
    });
    expect(await run(['bans', ...at])).toEqual({ code: 0, stdout: 'no bans\n', stderr: '' });
    expect((await run(['unban', '127.0.0.0/8', ...at])).code).toBe(1);
    expect((await run(['dial', two.listen, ...at])).code).toBe(0);
    const kinds = (jsonOf(await run(['history', ...at, '--json'])) as { entries: { kind: string }[] }).entries;
    expect(kinds.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['banned', 'unbanned']));
  });
});

describe('crawl', () => {
  it('shows whom a node has reached, and that asking again at once is refused', async () => {
    const [one, two] = await startTwo(telling);
    expect((await run(['dial', two.listen, '--admin', one.admin])).code).toBe(0);
    const addresses = (await (await fetch(`http://${one.admin}/addresses`)).json()) as object;
    const port = Number(two.listen.split(':')[1]);
    expect(addresses).toEqual({
      addresses: [expect.objectContaining({ id: two.nodeId, address: '127.0.0.1', port, bucket: 'tried' })],
    });
    const crawled = await run(['crawl', one.listen, '--non-strict-addresses']);
    expect(crawled).toMatchObject({ code: 0, stderr: '' });
    expect(crawled.stdout.split('\n').slice(1)).toEqual([
      `${one.listen}  ${two.nodeId}  ${two.listen}`,
      '',
      `${one.listen}: 1 peer, 0 skipped`,
      '',
    ]);
    const again = await run(['crawl', one.listen, '--json']);
    expect([again.code, jsonOf(again)]).toEqual([
      1,
      { seeds: [expect.objectContaining({ seed: one.listen, peers: [], error: expect.anything() })] },
    ]);
    const { stdout } = await run(['status', '--admin', one.admin]);
    expect(stdout).toMatch(/^crawls of us +1 served, 1 refused$/m);
  });
});

describe('POST /broadcast', () => {
  it('reaches every peer, whatever its size', async () => {
    const { node, ready } = await startNodeCommand(loopback);
    const tap = new Program(['tap', ready.listen, ...chain, '--count', '2', '--json']);
    await node.line('peer connected');
    const large = Buffer.alloc(10 * 1024 * 1024 - 4, 0xa5);
    for (const payload of [Buffer.from([0, 255]), large]) {
      const answer = await fetch(`http://${ready.admin}/broadcast`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'tx', payloadBase64: payload.toString('base64') }),
      });
      expect([answer.status, await answer.json()]).toEqual([200, { sent: 1, skipped: 0 }]);
    }
    const { code, stdout } = await tap.exit;
    const lines = stdout.trimEnd().split('\n');
    const tapped = lines.map((line) => JSON.parse(line) as { type: string; payloadBase64: string });
    expect([code, tapped.map(({ type }) => type)]).toEqual([0, ['tx', 'tx']]);
    expect(tapped[0]!.payloadBase64).toBe('AP8=');
    expect(Buffer.from(tapped[1]!.payloadBase64, 'base64').equals(large)).toBe(true);
    const reserved = await fetch(`http://${ready.admin}/broadcast`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'ping', payloadBase64: '' }),
    });
    expect([reserved.status, await reserved.json()]).toEqual([400, expect.objectContaining({ field: 'type' })]);
  });
});
