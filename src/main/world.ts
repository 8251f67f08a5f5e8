/**
 * All that a node takes from the machine that it runs on: time, chance, network. Main thread. Decisions get it passed in,
 * so that a simulation can run the same node in a world of its own.
 */
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../shared/clock.js';
import type { Network } from './net/network.js';
import { systemNetwork } from './net/system-network.js';
import { systemTimers, type Timers } from './timers.js';

export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly network: Network;
  /** From 0 to below 1. */
  random(): number;
  randomBytes(bytes: number): Buffer;
}

/** The real one. */
export function systemWorld(): World {
  return {
    clock: systemClock(),
    timers: systemTimers,
    network: systemNetwork,
    random: Math.random,
    randomBytes: (bytes) => randomBytes(bytes),
  };
}
