/**
 * How many files and sockets this process may have open, and has, as Linux tells it in /proc (proc(5)). Main thread.
 */
import { readdir, readFile } from 'node:fs/promises';

export interface FileDescriptors {
  /** The soft limit; null if it could not be read because none was left to read it with. */
  readonly limit: number | null;
  readonly open: number | null;
}

const softLimit = /^Max open files\s+(\d+|unlimited)/m;

/** Null on a system that does not tell. */
export async function readFileDescriptors(): Promise<FileDescriptors | null> {
  try {
    const [limits, open] = await Promise.all([readFile('/proc/self/limits', 'utf8'), readdir('/proc/self/fd')]);
    const soft = softLimit.exec(limits)?.[1];
    if (soft === undefined) return null;
    return { limit: soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft), open: open.length };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EMFILE' || code === 'ENFILE' ? { limit: null, open: null } : null;
  }
}
