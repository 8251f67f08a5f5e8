/** The made-up node that a test's commands talk to, behind the real admin HTTP, and an environment that says nothing. */
import { afterEach, beforeEach, vi } from 'vitest';
import type { AdminServer } from '../../../src/main/admin/server.js';
import type { NodeView } from '../../../src/main/api.js';
import { startAdmin } from '../admin/fake-node.js';
import { type Run, run } from './run.js';

let server: AdminServer | undefined;

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('PAW_')) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await stopNode();
});

/** Starts a node in place of the one that runs. */
export async function startNode(...how: Parameters<typeof startAdmin>): Promise<AdminServer> {
  await stopNode();
  server = await startAdmin(...how);
  return server;
}

export async function stopNode(): Promise<void> {
  await server?.close();
  server = undefined;
}

/** The node that runs. */
export function theNode(): AdminServer {
  if (server === undefined) throw new Error('no node runs');
  return server;
}

/** Runs a command against the node that runs, or else one with these methods. */
export async function tell(view: Partial<NodeView>, ...args: string[]): Promise<Run> {
  const { address } = server ?? (await startNode(view));
  return run(...args, '--admin', address);
}
