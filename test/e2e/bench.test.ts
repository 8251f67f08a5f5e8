import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BenchResult, figuresOf } from '../../bench/result.js';
import { Program } from './program.js';

/** All that need neither hours nor packages of their own. */
const everyday = [
  ...[
    'ingest',
    'echo',
    'broadcast',
    'relay',
    'connect',
    'refusals',
    'idle',
    'mixed',
    'busy-handlers',
    'crash',
    'admin',
  ],
  'scaling',
];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'paw-bench-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('bench', () => {
  it('runs every scenario, and writes what it found', async () => {
    const [json, html] = [join(folder, 'run.json'), join(folder, 'run.html')];
    const { code, stdout, stderr } = await new Program(['bench', '--smoke', '--json', json, '--html', html]).exit;
    expect(code, stderr).toBe(0);
    const result = JSON.parse(readFileSync(json, 'utf8')) as BenchResult;
    expect(result.scenarios.map(({ name }) => name)).toEqual(everyday);
    for (const { name, metrics, measurements } of result.scenarios) {
      expect(stdout).toContain(`${name}: `);
      expect(measurements.length, name).toBeGreaterThan(0);
      for (const measurement of measurements) {
        const figures = metrics.flatMap(({ key }) => figuresOf(measurement, key));
        expect(figures.length, `${name}, ${measurement.case}, ${measurement.target}`).toBeGreaterThan(0);
        for (const figure of figures) expect(Number.isFinite(figure)).toBe(true);
      }
    }
    expect(readFileSync(html, 'utf8')).toContain('<canvas id="ingest-messages">');
  }, 180_000);

  it('runs soak for as long as it is told', async () => {
    const { code, stdout } = await new Program(['bench', 'soak', '--smoke']).exit;
    expect(code).toBe(0);
    expect(stdout).toContain('messages lost, or out of order');
  }, 60_000);

  it('runs only the cases that are asked for', async () => {
    const { code, stdout } = await new Program(['bench', 'connect', 'echo', '--smoke', '--case', 'dial']).exit;
    expect(code).toBe(0);
    expect(stdout).toContain('dial, handshake, close');
    expect(stdout).not.toContain('accept, handshake, close');
    expect(stdout).not.toContain('echo: ');
  }, 60_000);

  it('names its scenarios', async () => {
    const { stdout } = await new Program(['bench', '--list']).exit;
    for (const name of [...everyday, 'libp2p', 'soak']) expect(stdout).toContain(name);
  });

  it.each([
    [['bench', 'nonsense'], /scenario is 'nonsense': must be one of ingest, /],
    [['bench', 'echo', '--case', 'nonsense'], /case is 'nonsense': must match one of '1 connection, 1 in flight', /],
    [['bench', 'echo', '--case', '('], /case is '\(' \(--case\): must be a regular expression/],
    [['bench', '--rounds', '0'], /rounds is '0'/],
    [['bench', '--json', '/nonexistent/run.json'], /\/nonexistent/],
  ])('refuses %j in one line that names what is wrong', async (args, message) => {
    const { code, stderr } = await new Program(args).exit;
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
