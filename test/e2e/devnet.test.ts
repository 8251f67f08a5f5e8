import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Program, run } from './program.js';

/** Processes whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ')[1] === String(pid);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('paw-devnet-'));

describe('paw-p2p devnet', () => {
  it('runs four real nodes, loses nothing, and cleans up', async () => {
    const before = leftovers();
    const { code, stdout, stderr } = await run(['devnet', '--rate', '300', '--duration', '3', '--json']);
    const summary = JSON.parse(stdout) as Record<string, unknown> & { nodes: Record<string, unknown>[] };
    expect({ code, summary }).toMatchObject({
      code: 0,
      summary: { ok: true, lost: 0, duplicated: 0, corrupted: 0, failures: [] },
    });
    expect(summary.sent).toBeGreaterThanOrEqual(850);
    expect(summary.arrived).toBe(3 * (summary.sent as number));
    expect(summary.nodes.map(({ preset }) => preset)).toEqual(['high-traffic', 'default', 'default', 'default']);
    expect(summary.nodes.map(({ peers }) => peers)).toEqual([3, 3, 3, 3]);
    expect(stderr).toMatch(/\d s running {2}peers 3\/3\/3\/3/);
    expect(leftovers()).toEqual(before);
  });

  it('ends with the reckoning on Ctrl-C', async () => {
    const devnet = new Program(['devnet', '--nodes', '3', '--rate', '100', '--duration', '0']);
    await devnet.line('running');
    devnet.child.kill('SIGINT');
    const { code, stdout } = await devnet.exit;
    expect(stdout).toMatch(/devnet: 3 nodes, .* 0 lost, 0 duplicated, 0 corrupted: OK\n$/);
    expect(code).toBe(0);
  });

  it('fails, says why, and leaves nothing behind when a node dies', async () => {
    const before = leftovers();
    const devnet = new Program(['devnet', '--rate', '100', '--duration', '30']);
    await devnet.line('running');
    const [victim] = childrenOf(devnet.child.pid as number).slice(-1);
    process.kill(victim, 'SIGKILL');
    const { code, stdout } = await devnet.exit;
    expect(stdout).toMatch(new RegExp(`failed: node \\d \\(pid ${victim}\\) ended with SIGKILL`));
    expect(stdout).toMatch(/: FAILED\n$/);
    expect(code).toBe(1);
    expect(leftovers()).toEqual(before);
  });

  it('leaves no process behind when it is killed itself', async () => {
    const devnet = new Program(['devnet', '--rate', '100', '--duration', '30']);
    await devnet.line('running');
    const children = childrenOf(devnet.child.pid as number);
    expect(children).toHaveLength(4);
    devnet.child.kill('SIGKILL');
    const endMs = performance.now() + 10_000;
    const isAlive = (pid: number) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    while (children.some(isAlive) && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('leaves no directory behind when it is killed while its nodes have something to report', async () => {
    const before = leftovers();
    const devnet = new Program(['devnet', '--nodes', '2', '--rate', '100', '--duration', '30']);
    await devnet.line('running');
    const children = childrenOf(devnet.child.pid as number);
    for (const pid of children) process.kill(pid, 'SIGSTOP');
    devnet.child.kill('SIGKILL');
    await devnet.exit;
    // Longer than the time between two reports, so that each node writes into the broken channel before it reads.
    await new Promise((resolve) => setTimeout(resolve, 400));
    for (const pid of children) process.kill(pid, 'SIGCONT');
    await expect.poll(leftovers, { timeout: 10_000 }).toEqual(before);
  });

  it.each([
    [['--nodes', '1'], /nodes is '1' \(--nodes\): must be a whole number from 2 to 32/],
    [['--rate', 'fast'], /rate is 'fast'/],
    [['--duration', '-1'], /duration/],
  ])('with %j says what is wrong, exit code 2', async (args, message) => {
    const { code, stderr } = await run(['devnet', ...args]);
    expect([code, message.test(stderr), stderr.trimEnd().split('\n').length]).toEqual([2, true, 1]);
  });
});
