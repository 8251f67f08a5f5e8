/**
 * Owns the data directory: makes it, and keeps it to one node at a time. Main thread.
 *
 * Each holder has a lock file of its own, whose name says which process made it: `lock-PID-START-NONCE`, START being
 * when that process started. To take the directory is to create a lock file and then find none of another process that
 * lives. Two who try at once both see the other, so at most one goes on. Names are never used again, so the file of a
 * dead process can be removed by anybody, and a node that was killed leaves nothing that has to be mended. Processes in
 * different PID namespaces (containers on one volume) can't see each other and are not kept apart.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeError } from '../shared/errors.js';

/** A process that was killed may take a moment to go, and two who start at once must part: so a few tries, then no. */
const TRIES = 5;
const RETRY_MS_MIN = 40;
const RETRY_MS_MAX = 120;

const lockName = /^lock-(\d{1,10})-([0-9a-z.]{1,40})-([0-9a-f]{16})$/;
const START_UNKNOWN = 'unknown';

/** Nonces of the lock files that this module holds. Another thread of the process has a module of its own. */
const heldNonces = new Set<string>();

/** A data directory that is ours until `release`. */
export interface DataDir {
  readonly path: string;
  /** Gives the directory up. May be called again. */
  release(): void;
}

/**
 * Makes the directory if there is none (mode 0700) and takes it.
 * @throws NodeError ERR_PAW_DATA_DIR when it can't be written or another node holds it
 */
export async function openDataDir(directory: string): Promise<DataDir> {
  for (let attempt = 1; ; attempt++) {
    const nonce = randomBytes(8).toString('hex');
    const lockFile = path.join(directory, `lock-${process.pid}-${processStart(process.pid) ?? START_UNKNOWN}-${nonce}`);
    createLockFile(directory, lockFile);
    heldNonces.add(nonce);
    const release = (): void => {
      heldNonces.delete(nonce);
      rmSync(lockFile, { force: true });
    };
    const holder = otherHolder(directory, nonce);
    if (holder === null) return { path: directory, release };
    release();
    if (attempt === TRIES) {
      throw new NodeError(
        'ERR_PAW_DATA_DIR',
        `data directory '${directory}' is in use by another node (pid ${holder})`,
      );
    }
    await delay(RETRY_MS_MIN + Math.random() * (RETRY_MS_MAX - RETRY_MS_MIN));
  }
}

function createLockFile(directory: string, lockFile: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(lockFile, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `data directory '${directory}' can't be written (${code}): name another with --data-dir`;
    throw new NodeError('ERR_PAW_DATA_DIR', message, { cause: error });
  }
}

/** PID of a living holder with another nonce, or null. Removes the lock files of dead ones. */
function otherHolder(directory: string, ownNonce: string): number | null {
  for (const name of readdirSync(directory)) {
    const match = lockName.exec(name);
    if (match === null || match[3] === ownNonce) continue;
    const pid = Number(match[1]);
    if (isHeld(pid, match[2]!, match[3]!)) return pid;
    rmSync(path.join(directory, name), { force: true });
  }
  return null;
}

function isHeld(pid: number, start: string, nonce: string): boolean {
  if (heldNonces.has(nonce)) return true;
  const startNow = processStart(pid);
  // Where nothing tells processes apart, one with our own PID is a dead namesake.
  if (pid === process.pid && (startNow === null || start === START_UNKNOWN)) return false;
  if (startNow !== null && start !== START_UNKNOWN) return startNow === start;
  // A namesake counts as the holder here, since nothing tells them apart: refusing is the safe side.
  return start === START_UNKNOWN && exists(pid);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a living process started, as `BOOT.TICKS`: different for every process that ever had this PID. Null when there
 * is none, when it is a zombie, or where there is no /proc (proc(5): fields 3 and 22 of `stat`).
 */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
    // The command's name, field 2, may hold spaces and brackets; fields count from behind its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    return state === 'Z' || state === 'X' || ticks === undefined ? null : `${boot}.${ticks}`;
  } catch {
    return null;
  }
}
