import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** What the command says, and what it ends with. */
async function simulate(
  ...args: string[]
): Promise<{ readonly out: string; readonly err: string; readonly code: number }> {
  try {
    const { stdout, stderr } = await run(process.execPath, ['build/test/simulation/main.js', ...args], { cwd: root });
    return { out: stdout, err: stderr, code: 0 };
  } catch (error) {
    const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
    return { out: stdout, err: stderr, code };
  }
}

beforeAll(async () => {
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.simulation.json'], { cwd: root });
});

it('simulate runs seeds side by side, and tells how it went', async () => {
  const { out, code } = await simulate('--seeds', '3', '--nodes', '14', '--jobs', '2');
  expect(code).toBe(0);
  expect(out).toContain('3 of 3 seeds of 14 nodes');
  expect(out).toMatch(
    / h simulated, \d+ steps, \d+ connections, \d+ deaths of workers, \d+ of them at work, \d+ gossip messages dispatched, \d+ messages shed, \d+ peers cut off for want of memory; longest recovery \d+/,
  );
});

it('simulate shows one seed line by line, the same each time, and as much of its faults as is asked for', async () => {
  const [whole, again, some, none] = [
    await simulate('--seed', '5', '--nodes', '14'),
    await simulate('--seed', '5', '--nodes', '14'),
    await simulate('--seed', '5', '--nodes', '14', '--faults', '0,3'),
    await simulate('--seed', '5', '--nodes', '14', '--faults', 'none'),
  ];
  expect(again.out).toBe(whole.out);
  const faults = ({ out }: { out: string }) =>
    out.split('\n').filter((line) => /^[\d.]+ \{"kind":"(?!start)/.test(line));
  expect(faults(whole)).toHaveLength(14);
  expect(faults(some)).toEqual([faults(whole)[0], faults(whole)[3]]);
  expect(faults(none)).toEqual([]);
});

it('simulate finds the smallest part of a failure and says how to see it again', async () => {
  // Nobody can recover in no time at all.
  const { out, code } = await simulate('--seeds', '2', '--nodes', '14', '--jobs', '1', '--recovery', '1');
  expect(code).toBe(1);
  expect(out).toContain('seed 1 fails: not recovered');
  const command = /npm run simulate -- (--seed 1 --nodes 14 --recovery 1 --faults \S+)/.exec(out)![1];
  const again = await simulate(...command.split(' '));
  expect(again.code).toBe(1);
  expect(again.out).toContain('not recovered');
});

it.each([
  [['--nodes', '0'], "--nodes is '0', must be a whole number from 12"],
  [['--seeds', 'many'], "--seeds is 'many', must be a whole number from 1"],
  [['--faults', '1,x', '--seed', '1'], "--faults is '1,x', must be numbers of faults such as 3,17, or none"],
  [['--faults', '1'], '--faults needs --seed'],
  [['--what'], "Unknown option '--what'"],
])('simulate %j says what is wrong with it', async (args, message) => {
  const { err, code } = await simulate(...args);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
