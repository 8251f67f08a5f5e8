/**
 * What a program under test says to the harness, over its IPC channel. Every target listens on 127.0.0.1, takes
 * handshakes as a PAW node does, and answers `read` with what it has counted so far.
 */
export interface Ready {
  readonly kind: 'ready';
  readonly port: number;
}

/** Counts since start. CPU in microseconds, of the whole process. */
export interface Reading {
  readonly kind: 'reading';
  readonly messages: number;
  readonly cpuUs: number;
}

export const CHAIN_ID = 'paw-bench';

/** Speaks for a target: says where it listens, and answers the harness until the harness goes away. */
export function serve(port: number, messages: () => number): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!({ kind: 'reading', messages: messages(), cpuUs: user + system } satisfies Reading);
  });
  process.on('disconnect', () => process.exit(0));
  process.send!({ kind: 'ready', port } satisfies Ready);
}
