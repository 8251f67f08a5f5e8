/**
 * What peers that came and left leave in the heap of a node's main thread: `node dist/bench/visits.js`. Everything that
 * remembers them is bounded; this shows that it holds, and how much there is to fill before.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { createNode } from '../src/main/index.js';
import { encodeHandshake } from '../src/shared/wire/handshake.js';
import { CHAIN_ID, collectGarbage } from './channel.js';
import { onHandshake } from './handshake.js';

export interface VisitPlan {
  /** Visits of one count, and how many counts there are. */
  readonly visits: number;
  readonly counts: number;
  /** Whether each comes under an ID that nobody had before. */
  readonly isNewId: boolean;
}

export interface VisitCount {
  readonly visits: number;
  /** Heap in use once garbage is gone. */
  readonly heapBytes: number;
}

const AT_ONCE = 20;
const HOSTS = 100;
const RETURNING_IDS = 20;
/** Young garbage is promoted once before it is found to be some. */
const COLLECTIONS = 4;

/** Peers shake hands and leave, some at a time; the heap is looked at before the first and after each count. */
export async function visitHeap({ visits, counts, isNewId }: VisitPlan): Promise<VisitCount[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'paw-visits-'));
  const quiet = { admin: 'off', logLevel: 'silent', workers: 1 } as const;
  const node = await createNode({ chainId: CHAIN_ID, dataDir, listen: '127.0.0.1:0', ...quiet });
  try {
    const port = Number(node.listen.slice(node.listen.lastIndexOf(':') + 1));
    let begun = 0;
    const visitors = async (last: number) => {
      while (begun < last) {
        const number = begun++;
        await visit(port, number % HOSTS, isNewId ? `visitor-${number}` : `visitor-${number % RETURNING_IDS}`);
      }
    };
    const looks: VisitCount[] = [];
    for (let count = 0; count <= counts; count++) {
      await Promise.all(Array.from({ length: AT_ONCE }, () => visitors(count * visits)));
      for (let i = 0; i < COLLECTIONS; i++) collectGarbage();
      looks.push({ visits: begun, heapBytes: process.memoryUsage().heapUsed });
    }
    return looks;
  } finally {
    await node.close({ drain: false });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** One who is refused has been there, too. */
function visit(port: number, host: number, id: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: `127.0.0.${2 + host}` });
    onHandshake(socket, () => socket.end());
    socket.once('close', () => resolve());
    socket.write(encodeHandshake(CHAIN_ID, id));
  });
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  for (const isNewId of [true, false]) {
    process.stdout.write(isNewId ? 'each under a new ID\n' : `under ${RETURNING_IDS} IDs\n`);
    const looks = await visitHeap({ visits: 10_000, counts: 7, isNewId });
    for (const [i, { visits, heapBytes }] of looks.entries()) {
      const before = looks[i - 1];
      const each = before && (heapBytes - before.heapBytes) / (visits - before.visits);
      const growth = each === undefined ? '' : `, ${each.toFixed(0)} B for each visit`;
      process.stdout.write(`${String(visits).padStart(6)} visits: ${(heapBytes / 2 ** 20).toFixed(1)} MiB${growth}\n`);
    }
  }
}
