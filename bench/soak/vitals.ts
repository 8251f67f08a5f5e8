/** What a process holds: memory, descriptors, threads. Linux only: the kernel tells it in files. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Vitals {
  /** Bytes that were last in use by the main thread's heap. */
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly arrayBufferBytes: number;
  readonly rssBytes: number;
  /** Of the resident bytes those that no file stands behind: pages of a file are the kernel's to take back. */
  readonly anonymousBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)![1]);
}

/** Of this process. */
export function readVitals(): Vitals {
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    heapUsedBytes: heapUsed,
    externalBytes: external,
    arrayBufferBytes: arrayBuffers,
    rssBytes: rss,
    anonymousBytes: (field(status, 'RssAnon') + field(status, 'RssShmem')) * 1024,
    descriptors: readdirSync('/proc/self/fd').length,
    threads: field(status, 'Threads'),
  };
}
