/**
 * Owns how much shared memory a node lays out for its settings. Pure; main thread.
 */
import { arenaBytes, type Geometry, SEEN_ENTRY_BYTES } from '../shared/memory/arena-layout.js';
import type { Settings } from './config/settings.js';
import { formatSize } from './config/size.js';
import { wrongValue } from './config/wrong-value.js';

/** Slots beyond the limits: for connections that are closing while their last frames are dispatched. */
const SPARE_SLOTS = 32;
/** Of these, how many must stay when limits are raised while the node runs. */
const LEAST_SPARE_SLOTS = 16;
/** Share of the memory budget that the arena may take; the rest is for what moves. */
const ARENA_SHARE = 0.8;
const MIB = 2 ** 20;
/** Largest arena that V8 makes views on. */
const MAX_ARENA_BYTES = 2 ** 32;

/** A ring takes what a busy socket holds: who always empties the socket is given a large window (bench/RESULTS.md). */
const LARGEST_AUTO_RING_BYTES = 8 * MIB;
const LEAST_AUTO_RING_BYTES = 4096;
/** Of the memory budget, for all rings that may be in use at once. */
const AUTO_RINGS_SHARE = 0.5;
/** An arena under 2 GiB has offsets that are small integers, which V8 is quicker with. */
const AUTO_ARENA_BYTES = 2 ** 31;

type Sizes = Omit<Settings, 'ringBytes'>;

/** What a running node has laid out: how far settings that change while it runs may go. */
export interface GrowthLimits {
  readonly slots: number;
  readonly arenaBytes: number;
}

/** The largest ring that leaves the memory budget what else it has to hold. */
function ringThatFits(sizes: Sizes): number {
  const { maxPeers, memoryBudgetBytes } = sizes;
  const mostBytes = Math.min(memoryBudgetBytes * ARENA_SHARE, AUTO_ARENA_BYTES);
  const fits = (ringBytes: number) =>
    ringBytes * maxPeers <= memoryBudgetBytes * AUTO_RINGS_SHARE && arenaBytes(layout(sizes, ringBytes)) <= mostBytes;
  let ringBytes = LARGEST_AUTO_RING_BYTES;
  while (ringBytes > LEAST_AUTO_RING_BYTES && !fits(ringBytes)) ringBytes /= 2;
  return ringBytes;
}

/** Slots and rings for these settings. @throws ConfigError if they don't fit the memory budget */
export function geometryOf(settings: Settings): Geometry {
  const ringBytes = settings.ringBytes ?? ringThatFits(settings);
  const geometry = layout(settings, ringBytes);
  const bytes = arenaBytes(geometry);
  if (!arenaFits(bytes, settings.memoryBudgetBytes)) {
    const needed = `at least ${Math.ceil(bytes / ARENA_SHARE / MIB)}MiB`;
    const rings = `${geometry.slots} rings of ${formatSize(ringBytes)}`;
    const why = `${rings} and a gossip cache of ${formatSize(settings.gossipCacheBytes)} (or ringSize, maxPeers or gossipCache smaller)`;
    throw wrongValue('memoryBudget', formatSize(settings.memoryBudgetBytes), 'settings', `${needed} for ${why}`);
  }
  if (bytes > MAX_ARENA_BYTES) {
    const what = `${geometry.slots} rings make an arena of ${Math.ceil(bytes / MIB)}MiB`;
    throw wrongValue('ringSize', formatSize(ringBytes), 'settings', `smaller (${what}, at most 4096MiB)`);
  }
  return geometry;
}

/** Whether an arena leaves room in a memory budget for what moves. */
export function arenaFits(bytes: number, memoryBudgetBytes: number): boolean {
  return bytes <= memoryBudgetBytes * ARENA_SHARE;
}

/** Slots that a node which runs already must have for these settings. */
export function slotsNeeded(settings: Settings): number {
  return peersAtMost(settings) + LEAST_SPARE_SLOTS;
}

/** Peers that the limits count, and those that they don't. */
function peersAtMost(sizes: Sizes): number {
  return sizes.maxPeers + sizes.persistentPeers.length + sizes.unconditionalPeerIds.length;
}

function layout(sizes: Sizes, ringBytes: number): Geometry {
  return {
    slots: peersAtMost(sizes) + SPARE_SLOTS,
    ringBytes,
    workers: sizes.workers,
    outboundBytes: sizes.outboundRingBytes,
    seenEntries: sizes.gossipCacheBytes / SEEN_ENTRY_BYTES,
  };
}
