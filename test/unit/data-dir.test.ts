/** The data directory: one node at a time, whatever way the last one ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDir } from '../../src/main/data-dir.js';

let parent: string;
let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  parent = mkdtempSync(path.join(os.tmpdir(), 'paw-data-dir-'));
  directory = path.join(parent, 'a', 'b');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  rmSync(parent, { recursive: true });
});

/** A process that lives until it is killed, with a lock file as `openDataDir` would have made for it. */
async function otherHolder(): Promise<ChildProcess & { pid: number }> {
  const script = `
    const fs = require('node:fs');
    const stat = fs.readFileSync('/proc/self/stat', 'latin1');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
    fs.mkdirSync(process.argv[1], { recursive: true });
    fs.writeFileSync(process.argv[1] + '/lock-' + process.pid + '-' + boot + '.' + ticks + '-0123456789abcdef', '');
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child as ChildProcess & { pid: number };
}

const locks = () => readdirSync(directory).filter((name) => name.startsWith('lock-'));

describe('a data directory', () => {
  test('is made with mode 0700, and is free again once released', async () => {
    const first = await openDataDir(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(first.path).toBe(directory);
    first.release();
    first.release();
    expect(locks()).toEqual([]);
    (await openDataDir(directory)).release();
  });

  test('in use by a node of this process is refused, and stays in use', async () => {
    const first = await openDataDir(directory);
    const message = `data directory '${directory}' is in use by another node (pid ${process.pid})`;
    await expect(openDataDir(directory)).rejects.toMatchObject({ code: 'ERR_PAW_DATA_DIR', message });
    expect(locks()).toHaveLength(1);
    first.release();
  });

  test.runIf(process.platform === 'linux')(
    'in use by another process is refused, and free at once when that is killed',
    async () => {
      const holder = await otherHolder();
      const message = `data directory '${directory}' is in use by another node (pid ${holder.pid})`;
      await expect(openDataDir(directory)).rejects.toMatchObject({ code: 'ERR_PAW_DATA_DIR', message });
      // Not awaited: a restart may come while the old process is still going.
      holder.kill('SIGKILL');
      const dir = await openDataDir(directory);
      expect(locks()).toHaveLength(1);
      dir.release();
    },
  );

  test('is not held by a process that has the PID of a dead holder', async () => {
    (await openDataDir(directory)).release();
    writeFileSync(path.join(directory, `lock-${process.ppid}-00000000.1-0123456789abcdef`), '');
    writeFileSync(path.join(directory, `lock-${process.pid}-00000000.1-0123456789abcdef`), '');
    (await openDataDir(directory)).release();
    expect(locks()).toEqual([]);
  });

  test('goes to at most one of those who want it at once, and other files in it stay', async () => {
    (await openDataDir(directory)).release();
    writeFileSync(path.join(directory, 'lock-notes.txt'), 'mine');
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => openDataDir(directory)));
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(taken.length).toBeLessThanOrEqual(1);
    for (const dir of taken) dir.release();
    expect(locks()).toEqual(['lock-notes.txt']);
  });

  test('that can not be made is told on one line', async () => {
    const file = path.join(parent, 'file');
    writeFileSync(file, '');
    await expect(openDataDir(path.join(file, 'data'))).rejects.toMatchObject({
      code: 'ERR_PAW_DATA_DIR',
      message: `data directory '${file}/data' can't be written (ENOTDIR): name another with --data-dir`,
    });
    await expect(openDataDir(file)).rejects.toMatchObject({
      message: expect.stringMatching(/can't be written \(EEXIST\)/),
    });
  });
});
