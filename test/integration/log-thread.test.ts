/** The thread that writes the log: whatever happens, each line is written once and whole, or counted as left out. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { NodeLog } from '../../dist/src/main/logger.js';
import { startNode, until } from './support/nodes.js';

const script = fileURLToPath(new URL('support/log-writer.mjs', import.meta.url));
const folders: string[] = [];
const logs: NodeLog[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  for (const log of logs.splice(0)) await log.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'paw-log-'));
  folders.push(folder);
  return folder;
}

interface Line {
  readonly msg: string;
  readonly number?: number;
  readonly lines?: number;
}

/** Lines of a text that must end with a whole one. */
function linesOf(text: string): Line[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

const readLines = (file: string) => linesOf(readFileSync(file, 'utf8'));
const numbersOf = (lines: readonly Line[]) => lines.flatMap(({ number }) => number ?? []);
const upTo = (count: number) => Array.from({ length: count }, (_, number) => number);

function openLog(logFile: string): NodeLog {
  const settings = { logLevel: 'info', logFormat: 'json', logFile } as const;
  const log = NodeLog.open(settings, { nodeId: 'a', chainId: 'paw-test' }, undefined);
  logs.push(log);
  return log;
}

interface Writer {
  readonly child: ChildProcess;
  readonly told: Promise<{ longestMs: number; rss: number; warnings: string[] }>;
  /** Code of the exit, once all output has been read. */
  readonly ended: Promise<number | null>;
  stdout: string;
}

function startWriter(options: object): Writer {
  const child = fork(script, [JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
  children.push(child);
  const told = once(child, 'message').then(([message]) => message);
  told.catch(() => undefined);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, told, ended, stdout: '' };
}

function readOutput(writer: Writer): void {
  writer.child.stdout!.on('data', (data: Buffer) => {
    writer.stdout += data.toString();
  });
}

describe('the end of a process', () => {
  it.each([
    ['close', 0],
    ['exit', 3],
    ['throw', 1],
    ['nothing', 0],
  ])('by %s loses no line, in a file or on standard output', async (end, code) => {
    const file = join(newFolder(), 'log');
    const toFile = startWriter({ lines: 5000, file, end });
    expect(await toFile.ended).toBe(code);
    expect(numbersOf(readLines(file))).toEqual(upTo(5000));
    const toStdout = startWriter({ lines: 5000, end });
    readOutput(toStdout);
    expect(await toStdout.ended).toBe(code);
    expect(numbersOf(linesOf(toStdout.stdout))).toEqual(upTo(5000));
  });

  it.each(['exit', 'throw', 'close', 'nothing'])('by %s right after the first line loses nothing', async (end) => {
    const writer = startWriter({ lines: 1, end });
    readOutput(writer);
    await writer.ended;
    expect(numbersOf(linesOf(writer.stdout))).toEqual([0]);
  });

  it('loses no line of any of twelve nodes in it, and Node warns of nothing', async () => {
    const folder = newFolder();
    const [file, ...otherFiles] = Array.from({ length: 12 }, (_, at) => join(folder, `log-${at}`)) as [string];
    const writer = startWriter({ lines: 1000, file, otherFiles, end: 'exit' });
    expect((await writer.told).warnings).toEqual([]);
    expect(await writer.ended).toBe(3);
    expect(numbersOf(readLines(file))).toEqual(upTo(1000));
    expect(otherFiles.map((other) => numbersOf(readLines(other)))).toEqual(otherFiles.map(() => [0]));
  });

  it('is listened for as long as there is a log, whichever of them is closed first', async () => {
    const before = process.listenerCount('exit');
    const files = [1, 2, 3].map(() => join(newFolder(), 'log'));
    const some = files.map(openLog);
    for (const log of some) log.logger.info('line');
    const counts = [1];
    // Pino has listeners of its own while its threads start.
    await until(() => process.listenerCount('exit') - before === 1, 'one listener');
    await until(() => files.every((file) => readLines(file).length === 1), 'the lines');
    for (const log of some) {
      await log.close();
      counts.push(process.listenerCount('exit') - before);
    }
    expect(counts).toEqual([1, 1, 1, 0]);
  });

  it('does not wait long for a reader that has stopped', async () => {
    for (const end of ['close', 'exit']) {
      const writer = startWriter({ lines: 2000, filler: 'x'.repeat(1000), end });
      await writer.told;
      const fromMs = performance.now();
      await once(writer.child, 'exit');
      expect(performance.now() - fromMs).toBeLessThan(5000);
    }
  });
});

describe('a reader that does not read', () => {
  it('neither stops nor fills the process; what it missed is counted and told once it reads again', async () => {
    const lines = 40_000;
    const writer = startWriter({ lines, filler: 'x'.repeat(1000), end: 'wait' });
    const { longestMs, rss } = await writer.told;
    expect(longestMs).toBeLessThan(1000);
    expect(rss).toBeLessThan(200 * 1024 * 1024);
    readOutput(writer);
    await until(() => writer.stdout.includes('log lines left out'), 'the count');
    writer.child.send('end');
    expect(await writer.ended).toBe(0);
    const read = linesOf(writer.stdout);
    const numbers = numbersOf(read);
    const leftOut = read.reduce((sum, line) => sum + (line.lines ?? 0), 0);
    expect(leftOut).toBeGreaterThan(0);
    expect(numbers.length + leftOut).toBe(lines);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  });

  it('that is gone does not end the process', async () => {
    const writer = startWriter({ lines: 1000, end: 'wait' });
    writer.child.stdout!.destroy();
    await writer.told;
    writer.child.send('end');
    expect(await writer.ended).toBe(0);
  });
});

describe('a log file', () => {
  it('opened anew while lines flow has them all, each once and whole, in the files that bore its name', async () => {
    const folder = newFolder();
    const file = join(folder, 'node.log');
    const log = openLog(file);
    const [rotations, perFile] = [8, 2000];
    for (let rotation = 0; rotation <= rotations; rotation++) {
      for (let i = 0; i < perFile; i++) {
        log.logger.info({ number: rotation * perFile + i, filler: 'ü'.repeat(i % 300) }, 'line');
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (rotation === rotations) break;
      renameSync(file, join(folder, `node.log.${rotation}`));
      expect(log.reopen()).toBe(true);
    }
    await log.close();
    const names = readdirSync(folder).sort();
    expect(names).toHaveLength(rotations + 1);
    const numbers = names.flatMap((name) => numbersOf(readLines(join(folder, name))));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(upTo(perFile * (rotations + 1)));
  });

  it('opened anew has every line that came later, and the old one none of them', async () => {
    const folder = newFolder();
    const file = join(folder, 'node.log');
    const log = openLog(file);
    const rotations = 200;
    for (let rotation = 0; rotation < rotations; rotation++) {
      log.logger.info({ number: rotation }, 'line');
      // Also before the thread has started, while it starts, and twice in a row.
      if (rotation % 3 !== 0) await nextTurn();
      renameSync(file, join(folder, `node.log.${rotation}`));
      expect(log.reopen()).toBe(true);
      if (rotation % 5 === 0) expect(log.reopen()).toBe(true);
    }
    log.logger.info({ number: rotations }, 'line');
    await log.close();
    for (let rotation = 0; rotation < rotations; rotation++) {
      const numbers = numbersOf(readLines(join(folder, `node.log.${rotation}`)));
      expect(numbers.filter((number) => number > rotation)).toEqual([]);
    }
    expect(numbersOf(readLines(file))).toContain(rotations);
  });

  it('on a full disk costs nothing but the log: lines wait, and stand in the next file', async () => {
    const folder = newFolder();
    const file = join(folder, 'node.log');
    symlinkSync('/dev/full', file);
    const node = await startNode({ logFile: file, logLevel: 'info' });
    await until(() => node.health().degraded.includes("log can't be written: ENOSPC"), 'the fault');
    unlinkSync(file);
    expect(node.reopenLog()).toBe(true);
    await until(() => !node.health().degraded.some((text) => text.startsWith('log')), 'its end');
    await node.close();
    expect(readLines(file).map(({ msg }) => msg)).toEqual(['node ready', 'node closing', 'node closed']);
  });

  it('that stays full does not hold up the end', async () => {
    const node = await startNode({ logFile: '/dev/full', logLevel: 'info' });
    const fromMs = performance.now();
    await node.close();
    expect(performance.now() - fromMs).toBeLessThan(5000);
  });

  it('that can’t be opened is an error with a code; one that can’t be opened anew goes on as it was', async () => {
    const folder = newFolder();
    await expect(startNode({ logFile: join(folder, 'none', 'log') })).rejects.toMatchObject({
      code: 'ERR_PAW_LOG_FILE',
      message: `can't open the log file ${join(folder, 'none', 'log')}: ENOENT`,
    });
    await expect(startNode({ logFile: folder })).rejects.toMatchObject({ code: 'ERR_PAW_LOG_FILE' });
    const file = join(newFolder(), 'log');
    const node = await startNode({ logFile: file, logLevel: 'info' });
    const moved = `${file}.1`;
    renameSync(file, moved);
    symlinkSync('/nowhere/at/all', file);
    expect(node.reopenLog()).toBe(false);
    await node.close();
    expect(readLines(moved).map(({ msg }) => msg)).toEqual([
      'node ready',
      'the log goes on into the file that is open',
      'node closing',
      'node closed',
    ]);
  });

  it('is opened by a silent node too, and filled once its level says so', async () => {
    const file = join(newFolder(), 'log');
    const settings = { logLevel: 'silent', logFormat: 'json', logFile: file } as const;
    const log = NodeLog.open(settings, { nodeId: 'a', chainId: 'paw-test' }, undefined);
    logs.push(log);
    log.logger.error('unheard');
    log.setLevel('warn');
    log.logger.info('below');
    log.logger.warn('heard');
    log.setLevel('debug');
    log.logger.debug('all');
    await log.close();
    expect(readLines(file).map(({ msg }) => msg)).toEqual(['heard', 'all']);
  });

  it('can be pretty, without colours', async () => {
    const file = join(newFolder(), 'log');
    const writer = startWriter({ lines: 2, file, format: 'pretty', end: 'close' });
    expect(await writer.ended).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: line \{.*"number":0.*\}\n\[.*"number":1.*\}\n$/);
    expect(text).not.toContain('\u001b');
  });

  /** The threads that logs start from now on. */
  function watchThreads() {
    const { transport } = pino;
    const threads: Worker[] = [];
    pino.transport = ((options: never) => {
      const stream = transport(options);
      threads.push((stream as unknown as { worker: Worker }).worker);
      return stream;
    }) as typeof transport;
    const restore = () => {
      pino.transport = transport;
    };
    return { threads, restore };
  }

  /** Ends the thread of a log, with this exit code. */
  async function end(thread: Worker, code: number) {
    const { emit } = thread;
    thread.emit = ((event: string, ...args: never[]) =>
      emit.call(thread, event as 'exit', ...(event === 'exit' ? [code] : args))) as Worker['emit'];
    await thread.terminate();
  }

  it.each([0, 1])(
    'goes on with a new thread when the old one ends with code %i, and tells what was left out meanwhile',
    async (code) => {
      const file = join(newFolder(), 'log');
      const { threads, restore } = watchThreads();
      try {
        const log = openLog(file);
        log.logger.info('before');
        await until(() => readFileSync(file, 'utf8').includes('before'), 'the first line');
        await end(threads[0]!, code);
        let logged = 0;
        await until(() => {
          log.logger.info({ number: logged++ }, 'line');
          return readFileSync(file, 'utf8').includes('left out');
        }, 'a thread that tells');
        await log.close();
        const lines = readLines(file);
        const leftOut = lines.reduce((sum, line) => sum + (line.lines ?? 0), 0);
        expect(leftOut).toBeGreaterThan(0);
        expect(leftOut + numbersOf(lines).length).toBe(logged);
        expect(threads).toHaveLength(2);
      } finally {
        restore();
      }
    },
  );

  it.each([
    ['at once', 0],
    ['at once', 1],
    ['a turn', 0],
    ['a turn', 1],
  ])('is closed also %s after its thread has ended with code %i', async (when, code) => {
    const { threads, restore } = watchThreads();
    try {
      const file = join(newFolder(), 'log');
      const log = openLog(file);
      log.logger.info('before');
      await until(() => readFileSync(file, 'utf8').includes('before'), 'the first line');
      await end(threads[0]!, code);
      if (when === 'a turn') await nextTurn();
      await log.close();
    } finally {
      restore();
    }
  });

  it('is let go of with its node: no thread, no descriptor stays', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const threads = () => readdirSync('/proc/self/task').length;
    const round = async () => {
      const log = openLog(join(newFolder(), 'log'));
      log.logger.info('line');
      log.reopen();
      await log.close();
    };
    await round();
    const before = { descriptors: descriptors(), listeners: process.listenerCount('exit') };
    const threadsBefore = threads();
    for (let i = 0; i < 5; i++) await round();
    await until(() => threads() <= threadsBefore, 'the end of the threads');
    expect({ descriptors: descriptors(), listeners: process.listenerCount('exit') }).toEqual(before);
  });
});
