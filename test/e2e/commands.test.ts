import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Program, run, startNodeCommand, tempFolder } from './program.js';

const chain = ['--chain-id', 'paw-e2e'];

describe('paw-p2p node', () => {
  it('logs one line when it is ready, and ends with 0 within 5 s of SIGTERM', async () => {
    const { node, ready } = await startNodeCommand();
    expect(ready).toMatchObject({ chainId: 'paw-e2e', nodeId: expect.stringMatching(/^[a-z2-7]{32}$/) });
    expect(node.stdout.match(/node ready/g)).toHaveLength(1);
    const startMs = performance.now();
    node.child.kill('SIGTERM');
    expect(await node.exit).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - startMs).toBeLessThan(5000);
  });

  it('ends at once on a second signal', async () => {
    const { node, ready } = await startNodeCommand();
    const tap = new Program(['tap', ready.listen, ...chain]);
    await node.line('peer connected');
    // A peer that is stopped does not close: the first signal alone would take the whole shutdown time.
    tap.child.kill('SIGSTOP');
    node.child.kill('SIGINT');
    await node.line('node closing');
    node.child.kill('SIGINT');
    expect((await node.exit).code).toBe(130);
    tap.child.kill('SIGCONT');
  });

  it.each([
    [['--max-peers', 'many'], /^paw-p2p: maxPeers is 'many' \(--max-peers\): must be a whole number/],
    [['--dial-timeout', '5'], /dialTimeout is '5' \(--dial-timeout\): must be a duration/],
    [['--chain-id', 'x'.repeat(33)], /chainId is/],
    [['--listen', '1.2.3.4'], /listen is '1\.2\.3\.4' \(--listen\): must be HOST:PORT/],
    [['--read-timeout', '10s', '--ping-interval', '20s'], /readTimeout/],
    [['--memory-budget', '16MiB', '--max-peers', '10000'], /memoryBudget is '16MiB'/],
    [['--no-such-option'], /unknown option/],
    [['--admin', '0.0.0.0:0'], /admin is '0\.0\.0\.0:0' .* --admin-token/],
  ])('with %j says in one line what is wrong, exit code 2', async (args, message) => {
    const { code, stderr, stdout } = await run([
      'node',
      '--data-dir',
      tempFolder(),
      '--listen',
      '127.0.0.1:0',
      ...args,
    ]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('names a port in use, and a data directory in use, in one line with exit code 1', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const folder = tempFolder();
    const off = ['--admin', 'off', '--data-dir', folder];
    const inUse = await run(['node', '--listen', `127.0.0.1:${port}`, ...off]);
    expect(inUse).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `paw-p2p: can't listen on 127.0.0.1:${port}: address in use\n`,
    });
    server.close();
    const first = new Program(['node', '--listen', '127.0.0.1:0', ...off, '--log-format', 'json']);
    await first.line('node ready');
    const second = await run(['node', '--listen', '127.0.0.1:0', ...off]);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(/^paw-p2p: data directory .* is in use by another node \(pid \d+\)\n$/);
    // Even if it is killed, the directory is free at once.
    first.child.kill('SIGKILL');
    await first.exit;
    const third = new Program(['node', '--listen', '127.0.0.1:0', ...off, '--log-format', 'json']);
    await third.line('node ready');
  });

  it('prints what is in force from flag, environment and file, in this order', async () => {
    const file = join(tempFolder(), 'paw.toml');
    writeFileSync(file, 'chainId = "from-file"\nmaxPeers = 7\nmax-inbound = 5\nreadTimeout = "44s"\n');
    const env = { PAW_CHAIN_ID: 'from-env', PAW_MAX_PEERS: '8' };
    const { code, stdout } = await run(['node', '--print-config', '--config', file, '--chain-id', 'from-flag'], env);
    expect(code).toBe(0);
    for (const line of ['chainId = "from-flag"', 'maxPeers = 8', 'maxInbound = 5', 'readTimeout = "44s"']) {
      expect(stdout).toContain(line);
    }
    const again = join(tempFolder(), 'again.toml');
    writeFileSync(again, stdout);
    expect((await run(['node', '--print-config', '--config', again])).stdout).toBe(stdout);
  });
});

describe('paw-p2p send and tap', () => {
  it('show a message on its way through a node with handlers', async () => {
    const handlers = join(tempFolder(), 'handlers.mjs');
    const code = `export default { shout: (message, context) => context.broadcast('heard', message.payload) };`;
    writeFileSync(handlers, code);
    const { node, ready } = await startNodeCommand(['--handlers', handlers]);
    const tap = new Program(['tap', ready.listen, ...chain, '--type', 'heard', '--count', '3']);
    await node.line('peer connected');
    const sent = await run([
      'send',
      `${ready.nodeId}@${ready.listen}`,
      ...chain,
      '--type',
      'shout',
      '--data',
      'hi\u001b[2J',
      '--count',
      '3',
    ]);
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(sent.stdout).toMatch(/^sent 3 messages of type shout, 18 B, in [\d.]+ ms .* pong after [\d.]+ ms\n$/);
    const tapped = await tap.exit;
    expect(tapped.code).toBe(0);
    expect(tapped.stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(tapped.stdout).toMatch(/heard.*hi/);
    expect(tapped.stdout).not.toContain('\u001b');
    const status = JSON.parse((await run(['status', '--admin', ready.admin, '--json'])).stdout) as {
      messages: { receivedByType: Record<string, number> };
    };
    expect(status.messages.receivedByType).toMatchObject({ shout: 3, ping: 1 });
    expect((await run(['status', '--admin', ready.admin])).stdout).toContain(ready.nodeId);
  });

  it('tell a refusal with its code, and a node that is not there', async () => {
    const { ready } = await startNodeCommand();
    const refused = await run(['send', ready.listen, '--chain-id', 'other', '--type', 'x']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/refused: .* \(0x02 ChainIDMismatch\)\n$/);
    const [host] = ready.listen.split(':');
    const none = await run(['tap', `${host}:1`, ...chain]);
    expect(none).toMatchObject({ code: 1 });
    expect(none.stderr).toMatch(/ECONNREFUSED \(0x08 NetworkError\)/);
    expect(await run(['send', ready.listen, ...chain, '--type', 'a\nb'])).toMatchObject({ code: 2 });
    expect(await run(['send', 'nowhere', ...chain, '--type', 'x'])).toMatchObject({ code: 2 });
  });
});

describe('paw-p2p keygen and id', () => {
  it('make a key that only its owner can read, and show its ID', async () => {
    const folder = join(tempFolder(), 'new');
    const none = await run(['id', '--data-dir', folder]);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    const made = await run(['keygen', '--data-dir', folder]);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect((await run(['id', '--data-dir', folder])).stdout).toContain(made.stdout.trim().split(/\s/).at(-1));
    expect(statSync(join(folder, 'node-key.pem')).mode & 0o777).toBe(0o600);
    expect((await run(['keygen', '--data-dir', folder])).code).toBe(1);
    expect(existsSync(join(folder, 'node-key.pem'))).toBe(true);
  });
});

describe('the admin address', () => {
  it('answers health, status and metrics with what the rulings name', async () => {
    const { ready } = await startNodeCommand();
    await run(['send', ready.listen, ...chain, '--type', 'tx', '--data', 'x']);
    const health = await fetch(`http://${ready.admin}/health`);
    expect([health.status, await health.json()]).toEqual([200, expect.objectContaining({ degraded: ['no peers'] })]);
    const metrics = await (await fetch(`http://${ready.admin}/metrics`)).text();
    for (const name of [
      'paw_p2p_peers{direction="inbound"}',
      'paw_p2p_messages_received_total{type="tx"} 1',
      'paw_p2p_messages_sent_total{type="pong"} 1',
      'paw_p2p_bytes_received_total',
      'paw_p2p_bytes_sent_total',
      'paw_p2p_connections_total{direction="inbound"} 1',
      'paw_p2p_handshakes_failed_total',
      'paw_p2p_disconnects_total{code="GoingAway"} 1',
      'paw_p2p_frames_dropped_total',
      'paw_p2p_dials_total',
      'paw_p2p_worker_lag_seconds',
      'paw_p2p_event_loop_lag_seconds',
    ]) {
      expect(metrics).toContain(name);
    }
  });
});
