/**
 * What single operations cost that the node does for each message or peer, in the way that it does them and in the obvious
 * one: `node dist/bench/micro.js`. The reasons for what ARCHITECTURE.md says of them.
 */
import { Socket } from 'node:net';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { settledOptions } from '../src/main/net/adopt-socket.js';
import { viewOf } from '../src/shared/memory/buffer-view.js';
import { inPhase } from '../src/shared/memory/copy-phase.js';

export interface MicroResult {
  readonly what: string;
  readonly ours: number;
  readonly obvious: number;
}

const COPY_BYTES = 64 * 1024;
const ROUNDS = 5;
/** Where what is measured ends, so that it is not optimised away. */
const kept = new Array<unknown>(1024);

/** Nanoseconds that one call takes: the best of some rounds, so that compiling does not count. */
function costNs(calls: number, run: (i: number) => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    for (let i = 0; i < calls; i++) kept[i % kept.length] = run(i);
    best = Math.min(best, ((performance.now() - startMs) * 1e6) / calls);
  }
  return best;
}

/** Measures everything once. @param calls of the quickest operations; tests make do with few */
export function measure(calls: number): MicroResult[] {
  const shared = new Uint8Array(new SharedArrayBuffer(4 * COPY_BYTES));
  const whole = Buffer.from(shared.buffer);
  const chunk = Buffer.allocUnsafeSlow(2 * COPY_BYTES);
  const source = shared.subarray(3, 3 + COPY_BYTES);
  const copy = (to: number) => costNs(calls / 100, () => chunk.set(source, to));
  const sink = { buffer: shared, callback: () => true };
  const socket = (more: object) => {
    const options: object = { onread: sink, allowHalfOpen: true, ...more };
    return costNs(calls / 100, () => new Socket({ ...options }).destroy());
  };
  return [
    { what: 'copy 64 KiB of shared memory', ours: copy(inPhase(0, source.byteOffset)), obvious: copy(0) },
    {
      what: 'view of a payload',
      ours: costNs(calls, (i) => viewOf(shared.buffer, i & 1023, 128)),
      obvious: costNs(calls, (i) => whole.subarray(i & 1023, (i & 1023) + 128)),
    },
    { what: 'make and destroy a socket', ours: socket(settledOptions), obvious: socket({}) },
  ];
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  for (const { what, ours, obvious } of measure(1_000_000)) {
    const times = (obvious / ours).toFixed(1);
    process.stdout.write(
      `${what.padEnd(30)} ${ours.toFixed(0).padStart(7)} ns, obvious ${obvious.toFixed(0).padStart(7)} ns, ${times} ×\n`,
    );
  }
}
