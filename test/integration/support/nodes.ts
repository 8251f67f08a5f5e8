/** Real nodes for a test, closed and removed after it. They run the compiled code, as threads need it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createNode, type Node, type NodeOptions } from '../../../dist/src/main/index.js';
import type { RunningNode } from '../../../dist/src/main/node.js';

export const CHAIN_ID = 'paw-test';

const open: { node: Node; folder: string }[] = [];

afterEach(async () => {
  for (const { node, folder } of open.splice(0)) {
    await node.close({ drain: false });
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Starts a node on a free loopback port; it is closed when the test ends. With what programs do not see, its threads. */
export async function startNode(options: NodeOptions = {}): Promise<RunningNode> {
  const folder = mkdtempSync(join(tmpdir(), 'paw-test-'));
  const node = await createNode({
    chainId: CHAIN_ID,
    dataDir: folder,
    listen: '127.0.0.1:0',
    admin: 'off',
    logLevel: 'silent',
    workers: 2,
    ...options,
  });
  open.push({ node, folder });
  return node as RunningNode;
}

/** URL of a handler module of the tests. */
export function handlerModule(name: string): URL {
  return new URL(`../handlers/${name}`, import.meta.url);
}

export function portOf(node: { listen: string }): number {
  return Number(node.listen.slice(node.listen.lastIndexOf(':') + 1));
}

/** Waits until a condition holds, or fails with what was waited for. */
export async function until(isTrue: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
