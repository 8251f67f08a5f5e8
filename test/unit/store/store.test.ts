/** A store whose database fails, or is in the middle of something, just when a test wants it. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type * as environment from '../../../src/main/store/environment.js';
import { Store } from '../../../src/main/store/store.js';

/** The database of the store that was opened last. */
const opened = vi.hoisted(() => ({ environment: null as unknown }));
vi.mock('../../../src/main/store/environment.js', async (original) => {
  const real = await original<typeof environment>();
  return {
    ...real,
    openEnvironment: (...how: Parameters<typeof real.openEnvironment>) => {
      opened.environment = real.openEnvironment(...how);
      return opened.environment;
    },
  };
});

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'paw-store-'));
  store = await Store.open(folder, { log: { warn: () => undefined } as never, onFault: () => undefined });
  await store.flush();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close().catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

const database = () => opened.environment as environment.Environment;

/** Nothing can be written until this is undone. */
function fillDisk() {
  return vi.spyOn(database().root, 'transactionSync').mockImplementation(() => {
    throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
  });
}

describe('what could not be written', () => {
  test('is not kept where it is gone before it can be', async () => {
    store.put('reputation', 'old', 1);
    store.put('reputation', 'kept', 1);
    await store.flush();
    const disk = fillDisk();
    store.put('reputation', 'new', 1);
    for (let at = 0; at < 10_000; at++) {
      store.put('reputation', `stranger ${at}`, { at });
      if (at === 5000) await store.flush();
    }
    for (let at = 0; at < 10_000; at++) store.remove('reputation', `stranger ${at}`);
    store.remove('reputation', 'old');
    await store.flush();
    expect(store.fault).toMatchObject({ code: 'ENOSPC' });
    disk.mockRestore();
    const [puts, removals] = (['putSync', 'removeSync'] as const).map((what) =>
      vi.spyOn(database().tables.reputation, what),
    );
    await store.flush();
    expect(store.fault).toBe(null);
    expect([puts!.mock.calls.length, removals!.mock.calls.length]).toEqual([1, 1]);
    expect([...store.contents().reputation.keys()]).toEqual(['kept', 'new']);
  });

  test('is tried again with a part of it: the rest holds up nobody', async () => {
    const disk = fillDisk();
    for (let at = 0; at < 300_000; at++) store.put('reputation', `standing 203.0.114.9 ${at}`, { at });
    await store.flush();
    const heldMs: number[] = [];
    for (let tries = 0; tries < 5; tries++) {
      const startMs = performance.now();
      const flushed = store.flush();
      await nextTurn();
      heldMs.push(performance.now() - startMs);
      await flushed;
    }
    expect(disk).toHaveBeenCalledTimes(6);
    // Copies of all take 200 ms or more each time.
    expect(Math.min(...heldMs)).toBeLessThan(50);
    store.put('reputation', 'standing 203.0.114.9 7', 'changed');
    await store.flush();
    disk.mockRestore();
    await store.flush();
    const { reputation } = store.contents();
    expect([reputation.size, reputation.get('standing 203.0.114.9 7')]).toEqual([300_000, 'changed']);
  });
});

describe('what is removed', () => {
  test('while it is on its way to the disk is gone in the end', async () => {
    for (let at = 0; at < 1000; at++) store.put('bans', `id:${at}`, { at });
    const flushed = store.flush();
    // One part is written, the others are not.
    await nextTurn();
    for (const id of ['id:0', 'id:999']) {
      store.put('bans', id, 'again');
      store.remove('bans', id);
    }
    await flushed;
    await store.flush();
    const { bans } = store.contents();
    expect([bans.size, bans.has('id:0'), bans.has('id:999')]).toEqual([998, false, false]);
  });

  test('while it is on its way to a disk that is full is gone in the end', async () => {
    for (let at = 0; at < 1000; at++) store.put('bans', `id:${at}`, { at });
    const flushed = store.flush();
    await nextTurn();
    const disk = fillDisk();
    for (const id of ['id:0', 'id:999']) store.remove('bans', id);
    await flushed;
    expect(store.fault).not.toBe(null);
    disk.mockRestore();
    await store.flush();
    const { bans } = store.contents();
    expect([bans.size, bans.has('id:0'), bans.has('id:999')]).toEqual([998, false, false]);
  });

  test('and put again meanwhile is there', async () => {
    store.put('bans', 'id:x', 1);
    await store.flush();
    const disk = fillDisk();
    store.remove('bans', 'id:x');
    await store.flush();
    store.put('bans', 'id:x', 2);
    disk.mockRestore();
    await store.flush();
    expect(store.contents().bans.get('id:x')).toBe(2);
  });
});

describe('a store that closes', () => {
  test.runIf(process.platform === 'linux')('lets go of its file even where its database fails to', async () => {
    const isOpen = () =>
      readdirSync('/proc/self/fd').some((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
        } catch {
          return false;
        }
      });
    const { root } = database();
    const close = root.close.bind(root);
    vi.spyOn(root, 'close').mockImplementation(async () => {
      await close();
      throw new Error('the database failed');
    });
    expect(isOpen()).toBe(true);
    await expect(store.close()).rejects.toThrow('the database failed');
    expect(isOpen()).toBe(false);
  });

  test('takes no notice of what changes after that', async () => {
    await store.close();
    store.put('bans', 'id:x', 1);
    store.remove('bans', 'id:x');
  });
});
