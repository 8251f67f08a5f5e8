/** The log of the program: a file, its rotation, and what signals and a closed output do to it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../integration/support/nodes.js';
import { Program, type Ready, run, startNodeCommand, tempFolder } from './program.js';

const messagesOf = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

function startWithFile(file: string, env: Record<string, string> = {}): Program {
  const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--chain-id', 'paw-e2e'];
  return new Program(['node', ...ports, '--data-dir', tempFolder(), '--log-file', file], env);
}

const contains = (file: string, text: string) => {
  try {
    return readFileSync(file, 'utf8').includes(text);
  } catch {
    return false;
  }
};

describe('paw-p2p node --log-file', () => {
  it('writes JSON lines to the file and nothing to standard output, and opens it anew on SIGUSR2', async () => {
    const file = join(tempFolder(), 'node.log');
    const node = startWithFile(file);
    await until(() => contains(file, 'node ready'), 'the node', 20_000);
    renameSync(file, `${file}.1`);
    node.child.kill('SIGUSR2');
    await until(() => contains(file, ''), 'the new file');
    node.child.kill('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(messagesOf(readFileSync(`${file}.1`, 'utf8'))).toEqual(['node ready']);
    expect(messagesOf(readFileSync(file, 'utf8'))).toEqual(['node closing', 'node closed']);
  });

  it('says in one line that the file can’t be opened', async () => {
    const file = join(tempFolder(), 'none', 'node.log');
    expect(await startWithFile(file).exit).toEqual({
      code: 1,
      stdout: '',
      stderr: `paw-p2p: can't open the log file ${file}: ENOENT\n`,
    });
    expect(await run(['node', '--log-file', ''])).toMatchObject({ code: 2 });
  });

  it('takes its path from the file’s own folder, and prints it', async () => {
    const folder = tempFolder();
    const config = join(folder, 'paw.toml');
    writeFileSync(config, 'logFile = "logs/node.log"\n');
    const { stdout } = await run(['node', '--print-config', '--config', config]);
    expect(stdout).toContain(`logFile = "${join(folder, 'logs/node.log')}"`);
    expect(stdout).toContain('logFormat = "json"');
  });
});

describe('the log of paw-p2p node', () => {
  it('on standard output says at SIGUSR2 that there is no file, and the node goes on', async () => {
    const { node } = await startNodeCommand();
    node.child.kill('SIGUSR2');
    await node.line('there is no log file to reopen');
    node.child.kill('SIGTERM');
    const { code, stdout } = await node.exit;
    expect(code).toBe(0);
    expect(messagesOf(stdout)).toEqual(['node ready', 'there is no log file to reopen', 'node closing', 'node closed']);
  });

  it('is whole when a second signal ends the node at once', async () => {
    // A handler that runs on holds the orderly end.
    const handlers = join(tempFolder(), 'handlers.mjs');
    writeFileSync(
      handlers,
      'export default { slow: async () => new Promise((resolve) => setTimeout(resolve, 60_000)) };',
    );
    const { node, ready } = await startNodeCommand(['--handlers', handlers]);
    const sent = await run(['send', ready.listen, '--chain-id', 'paw-e2e', '--type', 'slow']);
    expect(sent.code).toBe(0);
    await node.line('peer disconnected');
    node.child.kill('SIGTERM');
    await node.line('node closing');
    node.child.kill('SIGTERM');
    const { code, stdout } = await node.exit;
    expect(code).toBe(143);
    expect(messagesOf(stdout)).toEqual(['node ready', 'peer connected', 'peer disconnected', 'node closing']);
  });

  it('has the lines that came before a start that failed', async () => {
    const { ready } = await startNodeCommand();
    const folder = tempFolder();
    mkdirSync(join(folder, 'store'));
    writeFileSync(join(folder, 'store', 'data.mdb'), 'no store at all');
    const args = ['--listen', ready.listen, '--admin', 'off', '--data-dir', folder, '--log-format', 'json'];
    const { code, stdout, stderr } = await run(['node', ...args]);
    expect(code).toBe(1);
    expect(stderr).toBe(`paw-p2p: can't listen on ${ready.listen}: address in use\n`);
    expect(messagesOf(stdout)).toEqual([expect.stringContaining('moved aside')]);
  });

  it('that nobody reads any more leaves the node running, and says so on standard error', async () => {
    const { node, ready } = await startNodeCommand();
    node.child.stdout!.destroy();
    node.child.kill('SIGUSR2');
    await until(() => node.stderr.includes('EPIPE'), 'the warning');
    expect((await fetch(`http://${ready.admin}/health`)).status).toBe(200);
    node.child.kill('SIGTERM');
    expect((await node.exit).code).toBe(0);
  });

  it('never shows the token of the admin HTTP nor a payload, at any level', async () => {
    const [token, payload] = ['t0ken-that-nobody-sees', 'x-marks-the-spot'];
    const handlers = join(tempFolder(), 'handlers.mjs');
    writeFileSync(
      handlers,
      `export default {
        parse: (message) => void JSON.parse(message.payload),
        show: (message, { log }) => log.info('shown', { message, bytes: message.payload, deep: [{ a: message.payload }] }),
        late: (message) => void setTimeout(JSON.parse, 1, String(message.payload)),
      };`,
    );
    const file = join(tempFolder(), 'node.log');
    const node = startWithFile(file, { PAW_ADMIN_TOKEN: token, PAW_LOG_LEVEL: 'debug', PAW_HANDLERS: handlers });
    await until(() => contains(file, 'node ready'), 'the node', 20_000);
    const ready = JSON.parse(readFileSync(file, 'utf8').split('\n')[0]!) as Ready;
    const base = `http://${ready.admin}`;
    const headers = { authorization: `Bearer ${token}` };
    const json = { ...headers, 'content-type': 'application/json' };
    const payloadBase64 = Buffer.from(payload).toString('base64');
    for (const type of ['parse', 'show', 'late']) {
      const sent = await run(['send', ready.listen, '--chain-id', 'paw-e2e', '--type', type, '--data', payload]);
      expect(sent.code).toBe(0);
    }
    await until(() => contains(file, 'worker died'), 'the death of the worker');
    for (const call of [
      fetch(`${base}/status?token=${token}`),
      fetch(`${base}/nothing/${token}`, { headers }),
      fetch(`${base}/broadcast`, { method: 'POST', headers: json, body: JSON.stringify({ type: 'x', payloadBase64 }) }),
      fetch(`${base}/broadcast`, { method: 'POST', headers: json, body: `{"payloadBase64":"${payloadBase64}` }),
      fetch(`${base}/broadcast`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ type: '\n', payloadBase64 }),
      }),
    ]) {
      await call;
    }
    const config = await (await fetch(`${base}/config`, { headers })).text();
    node.child.kill('SIGTERM');
    const { stdout, stderr } = await node.exit;
    const log = readFileSync(file, 'utf8');
    for (const text of ['handler failed', 'SyntaxError', 'shown', `${payload.length} bytes`, 'worker died']) {
      expect(log).toContain(text);
    }
    for (const secret of [token, payload, payloadBase64, Buffer.from(payload).toString('hex'), 'x-marks']) {
      expect(log + stdout + stderr + config).not.toContain(secret);
    }
    expect(log).not.toContain([...Buffer.from(payload)].slice(0, 4).join(','));
    const printed = await run(['node', '--print-config'], { PAW_ADMIN_TOKEN: token });
    expect(printed.stdout).toContain('# adminToken: set, not shown');
    const wrong = await run(['node'], { PAW_ADMIN_TOKEN: `${token} ` });
    expect(printed.stdout + printed.stderr + wrong.stdout + wrong.stderr).not.toContain(token);
    expect(wrong.code).toBe(2);
  });
});
