/** Changes to a running node, as an operator makes them: by signal and by command. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../integration/support/nodes.js';
import { nodeProgram, type Program, run, startNodeCommand, tempFolder } from './program.js';

/** A node that runs with a file, and a way to write that file anew. */
async function startWithFile(text: string) {
  const file = join(tempFolder(), 'node.toml');
  const write = (toml: string) => writeFileSync(file, toml);
  write(text);
  return { ...(await startNodeCommand(['--config', file])), write };
}

async function lines(node: Program, text: string, count: number): Promise<Record<string, unknown>[]> {
  const found = () => node.stdout.split('\n').filter((line) => line.includes(text));
  const endMs = performance.now() + 10_000;
  while (found().length < count) {
    if (performance.now() > endMs) throw new Error(`waited for ${count} lines with '${text}' in:\n${node.stdout}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return found().map((line) => JSON.parse(line));
}

describe('a running node', () => {
  it('takes up its file anew on SIGHUP, all of it or nothing, and tells both in its log', async () => {
    const { node, ready, write } = await startWithFile('max-peers = 50\n');
    const config = async () => (await fetch(`http://${ready.admin}/config`)).json();
    write('max-peers = 40\nread-timeout = "50s"\nworkers = 7\n');
    node.child.kill('SIGHUP');
    const [told] = await lines(node, 'configuration reloaded', 1);
    expect(told.applied).toContainEqual({ key: 'maxPeers', from: 50, to: 40 });
    expect(told.needsRestart).toEqual([expect.objectContaining({ key: 'workers', to: 7 })]);
    expect(await config()).toMatchObject({ maxPeers: 40, readTimeout: '50s' });
    write('max-peers = 30\nread-timeout = "soon"\n');
    node.child.kill('SIGHUP');
    const [refused] = await lines(node, 'configuration refused', 1);
    expect(refused).toMatchObject({
      level: 50,
      key: 'readTimeout',
      error: expect.stringMatching(/^readTimeout is 'soon'/),
    });
    expect(await config()).toMatchObject({ maxPeers: 40, readTimeout: '50s' });
    node.child.kill('SIGTERM');
    expect((await node.exit).code).toBe(0);
  });

  it('that is told by SIGHUP while it starts takes up its file anew once it runs', async () => {
    const folder = tempFolder();
    const [module, begun, go, file] = ['slow.mjs', 'begun', 'go', 'node.toml'].map((name) => join(folder, name));
    writeFileSync(
      module!,
      `import { existsSync, writeFileSync } from 'node:fs';
      writeFileSync(${JSON.stringify(begun)}, '');
      while (!existsSync(${JSON.stringify(go)})) await new Promise((resolve) => setTimeout(resolve, 5));
      export default {};`,
    );
    writeFileSync(file!, 'max-peers = 50\n');
    const node = nodeProgram(['--config', file!, '--handlers', module!]);
    await until(() => existsSync(begun!), 'the workers to start');
    writeFileSync(file!, 'max-peers = 40\n');
    node.child.kill('SIGHUP');
    writeFileSync(go!, '');
    const [told] = await lines(node, 'configuration reloaded', 1);
    expect(told.applied).toContainEqual({ key: 'maxPeers', from: 50, to: 40 });
    node.child.kill('SIGTERM');
    expect((await node.exit).code).toBe(0);
  });

  it('takes up its file anew by command, and logs at the new level', async () => {
    const { node, ready, write } = await startWithFile('');
    const reload = () => run(['reload', '--admin', ready.admin]);
    expect(await reload()).toEqual({ code: 0, stdout: 'nothing has changed\n', stderr: '' });
    write('log-level = "error"\n');
    expect((await reload()).stdout).toBe('in force from now on:\n  logLevel  info -> error\n');
    write('log-level = "loud"\n');
    expect(await reload()).toMatchObject({ code: 2, stderr: expect.stringMatching(/^paw-p2p: logLevel is 'loud'/) });
    node.child.kill('SIGTERM');
    const { stdout } = await node.exit;
    expect(stdout).not.toContain('node closing');
    expect(stdout).toContain('configuration refused');
  });

  it('drains by command, and ends with 0 once it is through', async () => {
    const { node, ready } = await startNodeCommand();
    const drained = await run(['drain', '--admin', ready.admin, '--within', '20s']);
    expect(drained).toMatchObject({ code: 0, stderr: '' });
    expect(drained.stdout).toMatch(/^draining: 0 connections left, .*\nthe node has stopped\n$/s);
    const { code, stdout } = await node.exit;
    expect(code).toBe(0);
    expect(stdout.trim().split('\n').at(-1)).toContain('node closed');
  });

  it('that is draining can still be ended at once by a second signal', async () => {
    const { node, ready } = await startNodeCommand();
    await fetch(`http://${ready.admin}/drain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect((await node.exit).code).toBe(0);
  });
});
