import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';

const script = join(root, 'dist/bench/profile.js');

function profile(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (_error, _stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stderr });
    });
  });
}

describe('npm run profile', () => {
  it.each([
    [[], /tool is not named: must be one of doctor, /],
    [['flamegraph'], /tool is 'flamegraph': must be one of doctor, /],
    [['flame', 'nonsense'], /scenario is 'nonsense': must be one of ingest, /],
    [['flame', 'ingest', '--case', 'none'], /case is 'none': must be one of 128 B, 1 connections, /],
    [['flame', '--seconds', 'x'], /seconds is 'x'/],
    [['flame', '--nonsense'], /nonsense/],
  ])('refuses %j in one line that names what is wrong', async (args, message) => {
    const { code, stderr } = await profile(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
