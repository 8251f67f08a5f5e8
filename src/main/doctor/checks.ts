/**
 * All checks of the doctor, causes before what comes of them: of equally bad findings the first is what to fix first.
 * Main thread.
 */
import type { Check } from './finding.js';
import { limits, mainThread, slowPeers, workers } from './load-checks.js';
import { clock, disk, files, memory } from './machine-checks.js';
import { chain, peers, persistent, seeds } from './network-checks.js';
import { address, reachable } from './reach-checks.js';

export const checks: readonly Check[] = [
  files,
  disk,
  memory,
  mainThread,
  workers,
  clock,
  chain,
  address,
  persistent,
  seeds,
  peers,
  reachable,
  limits,
  slowPeers,
];
