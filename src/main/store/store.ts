/**
 * Keeps what a node remembers over restarts, in LMDB in `<dataDir>/store`. Main thread; what waits for the disk does so
 * elsewhere (LMDB's own asynchronous writes leave rejected promises behind when the disk is full). Changes are collected,
 * the latest of each key, and committed once a second into the system's memory: a process that is killed loses at most the
 * last second and never half of a change. A machine that loses power within the moment until the disk has them may leave
 * stale entries, or a store that can't be read. Such a one is moved aside, and the node starts with an empty one.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import path from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TransactionFlags } from 'lmdb';
import type { Logger } from 'pino';
import { NodeError } from '../../shared/errors.js';
import { CheckResult } from './check-result.js';
import { type Environment, openEnvironment, SCHEMA_KEY, SCHEMA_VERSION, type Table, tables } from './environment.js';

const FOLDER = 'store';
/** Changes wait so long at most before they are committed. */
const FLUSH_MS = 1000;
/** Changes in one transaction: it is made on the main thread, which must not be held up. */
const COMMIT_CHANGES = 250;
/** ABORTABLE, SYNCHRONOUS_COMMIT, NO_SYNC_FLUSH: into the system's memory at once, to the disk in our own time. */
const COMMIT_FLAGS = 0x1_0003 as TransactionFlags;
/** After a failed commit. */
const RETRY_MS = 5000;
/** How a process ends that a damaged store has led astray. */
const signsOfDamage: ReadonlySet<NodeJS.Signals> = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE']);
/** How often a check that has said nothing of the store is begun: it was told to end, or could not start. */
const CHECK_TRIES = 3;
/** A check that takes longer than this has found no sound store. */
const CHECK_MS = 30_000;
/** Damaged stores that are kept for somebody to look at. */
const KEPT_ASIDE = 3;

const asideName = /^store\.(damaged|other-version)-/;

/** What a key has become: a value, or gone. */
type Change = { readonly value: unknown } | null;

type Changes = Map<Table, Map<string, Change>>;

interface KeyChange {
  readonly table: Table;
  readonly key: string;
  readonly change: Change;
}

/** All that a store holds, by table and key. */
export type StoreContents = Readonly<Record<Table, ReadonlyMap<string, unknown>>>;

export interface StoreOptions {
  readonly log: Logger;
  /** A commit has failed; told once, until one succeeds again. */
  onFault(error: Error): void;
}

export class Store {
  readonly #environment: Environment;
  readonly #file: FileHandle;
  readonly #onFault: (error: Error) => void;
  #pending: Changes = new Map();
  /** What is on its way to the disk, until it is there. */
  #writing: Changes | null = null;
  #timer: NodeJS.Timeout | null = null;
  #commit: Promise<void> = Promise.resolve();
  #fault: Error | null = null;
  #closing: Promise<void> | null = null;
  /** What changes after the last commit is lost. */
  #isOver = false;

  /**
   * Opens the store of a data directory, which must be ours alone (`data-dir.ts`).
   * @throws NodeError ERR_PAW_DATA_DIR when no store can be made there
   */
  static async open(dataDir: string, { log, onFault }: StoreOptions): Promise<Store> {
    const folder = path.join(dataDir, FOLDER);
    const fault = existsSync(folder) ? await faultOf(folder) : null;
    if (fault !== null) moveAside(dataDir, folder, fault, log);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const environment = openEnvironment(folder, false);
      for (const name of readdirSync(folder)) chmodSync(path.join(folder, name), 0o600);
      return new Store(environment, await openFile(environment.file, 'r+'), onFault);
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      throw new NodeError('ERR_PAW_DATA_DIR', `no store can be made in '${dataDir}' (${why})`, { cause });
    }
  }

  private constructor(environment: Environment, file: FileHandle, onFault: (error: Error) => void) {
    this.#environment = environment;
    this.#file = file;
    this.#onFault = onFault;
    if (environment.tables.meta.get(SCHEMA_KEY) === undefined) this.put('meta', SCHEMA_KEY, SCHEMA_VERSION);
  }

  /** Why the last commit failed; null while all is well. What it should have written is kept and tried again. */
  get fault(): Error | null {
    return this.#fault;
  }

  /** Reads everything. What has been put and not committed is not in it. */
  contents(): StoreContents {
    const read = (table: Table) => {
      const entries = [...this.#environment.tables[table].getRange()];
      return [table, new Map(entries.map(({ key, value }) => [key, value]))] as const;
    };
    return Object.fromEntries(tables.map(read)) as unknown as StoreContents;
  }

  /** Remembers a value; it is committed within a second. */
  put(table: Table, key: string, value: unknown): void {
    this.#change(table, key, { value });
  }

  /** Forgets a key. */
  remove(table: Table, key: string): void {
    this.#change(table, key, null);
  }

  /** Commits what has been put so far. Settles when that is on the disk or has failed. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#commit = this.#commit.then(() => this.#write());
    return this.#commit;
  }

  /** Commits everything and closes. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.flush();
    this.#isOver = true;
    try {
      await this.#environment.root.close();
    } finally {
      await this.#file.close();
    }
  }

  #change(table: Table, key: string, change: Change): void {
    if (this.#isOver) return;
    let changes = this.#pending.get(table);
    if (changes === undefined) {
      changes = new Map();
      this.#pending.set(table, changes);
    }
    // Strangers come and go under ever new keys: while nothing can be written, those that are gone would be kept for ever.
    if (change === null && changes.has(key) && !this.#isWritten(table, key)) changes.delete(key);
    else changes.set(key, change);
    this.#flushLater();
  }

  /** Whether the database has a key, or may have it soon. */
  #isWritten(table: Table, key: string): boolean {
    return this.#writing?.get(table)?.has(key) === true || this.#environment.tables[table].doesExist(key);
  }

  #flushLater(): void {
    if (this.#closing !== null) return;
    this.#timer ??= setTimeout(() => void this.flush(), this.#fault === null ? FLUSH_MS : RETRY_MS);
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return;
    const writing = this.#pending;
    this.#writing = writing;
    this.#pending = new Map();
    try {
      let isFirst = true;
      for (const slice of slicesOf(writing)) {
        if (!isFirst) await nextTurn();
        isFirst = false;
        this.#commitSlice(slice);
      }
      await this.#file.datasync();
      this.#writing = null;
      this.#fault = null;
    } catch (error) {
      const isNew = this.#fault === null;
      this.#fault = error instanceof Error ? error : new Error(String(error));
      this.#writeAgain(writing);
      if (isNew) this.#onFault(this.#fault);
    }
  }

  #commitSlice(slice: readonly KeyChange[]): void {
    const { root, tables: databases } = this.#environment;
    root.transactionSync(() => {
      for (const { table, key, change } of slice) {
        if (change === null) databases[table].removeSync(key);
        else databases[table].putSync(key, change.value);
      }
    }, COMMIT_FLAGS);
  }

  /** What could not be written waits again, under what has changed since: there is much more of it. */
  #writeAgain(unwritten: Changes): void {
    const newer = this.#pending;
    this.#pending = unwritten;
    this.#writing = null;
    for (const [table, changes] of newer) for (const [key, change] of changes) this.#change(table, key, change);
    this.#flushLater();
  }
}

/** Made one at a time: where the first can't be written, the others cost nothing. */
function* slicesOf(all: Changes): Generator<readonly KeyChange[]> {
  let slice: KeyChange[] = [];
  for (const [table, changes] of all) {
    for (const [key, change] of changes) {
      slice.push({ table, key, change });
      if (slice.length < COMMIT_CHANGES) continue;
      yield slice;
      slice = [];
    }
  }
  if (slice.length > 0) yield slice;
}

/** Why a store can't be used; null if it can. */
async function faultOf(folder: string): Promise<'damaged' | 'other-version' | null> {
  for (let tries = 1; ; tries++) {
    const { code, signal, isLate } = await check(folder);
    if (code === CheckResult.Sound) return null;
    if (code === CheckResult.OtherVersion) return 'other-version';
    if (code === CheckResult.Damaged || isLate || (signal !== null && signsOfDamage.has(signal))) return 'damaged';
    if (tries === CHECK_TRIES) {
      const how = signal ?? `code ${code}`;
      throw new NodeError('ERR_PAW_DATA_DIR', `the check of the store '${folder}' ended with ${how} each time`);
    }
  }
}

interface Checked {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly isLate: boolean;
}

function check(folder: string): Promise<Checked> {
  const script = fileURLToPath(new URL('./check.js', import.meta.url));
  // What the program was started with is for the program: a module to load first, or a debugger's port that is taken.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, [script, folder], {
    stdio: 'ignore',
    // Where the program is Electron, its own binary is no Node without being told.
    env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
    timeout: CHECK_MS,
    killSignal: 'SIGKILL',
    // Ctrl-C goes to a group of processes; this one says nothing of the store if it dies of it.
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code, signal) => resolve({ code, signal, isLate: child.killed }));
  });
}

function moveAside(dataDir: string, folder: string, fault: 'damaged' | 'other-version', log: Logger): void {
  const stamp = new Date().toISOString().replaceAll(':', '-');
  const aside = path.join(dataDir, `${FOLDER}.${fault}-${stamp}`);
  try {
    renameSync(folder, aside);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new NodeError('ERR_PAW_DATA_DIR', `the store '${folder}' is ${fault} and can't be moved (${why})`, { cause });
  }
  const what = fault === 'damaged' ? 'the store is damaged' : 'the store is of another version of paw-p2p';
  log.warn({ movedTo: aside }, `${what}: moved aside, starting with an empty one`);
  const others = readdirSync(dataDir).filter((name) => asideName.test(name));
  const byTime = others.sort((a, b) => (a.replace(asideName, '') < b.replace(asideName, '') ? -1 : 1));
  for (const name of byTime.slice(0, -KEPT_ASIDE)) rmSync(path.join(dataDir, name), { recursive: true, force: true });
}
