/**
 * Owns how much shared memory a node lays out for its settings. Pure; main thread.
 */
import { arenaBytes, type Geometry, SEEN_ENTRY_BYTES } from '../shared/memory/arena-layout.js';
import type { Settings } from './config/settings.js';
import { formatSize } from './config/size.js';
import { wrongValue } from './config/wrong-value.js';

/** Slots beyond the limits: for connections that are closing while their last frames are dispatched. */
const SPARE_SLOTS = 32;
/** Share of the memory budget that the arena may take; the rest is for what moves. */
const ARENA_SHARE = 0.8;
const MIB = 2 ** 20;
/** Largest arena that V8 makes views on. */
const MAX_ARENA_BYTES = 2 ** 32;

/** Slots and rings for these settings. @throws ConfigError if they don't fit the memory budget */
export function geometryOf(settings: Settings): Geometry {
  const beyondLimits = settings.persistentPeers.length + settings.unconditionalPeerIds.length;
  const geometry = {
    slots: settings.maxPeers + beyondLimits + SPARE_SLOTS,
    ringBytes: settings.ringBytes,
    workers: settings.workers,
    outboundBytes: settings.outboundRingBytes,
    seenEntries: settings.gossipCacheBytes / SEEN_ENTRY_BYTES,
  };
  const bytes = arenaBytes(geometry);
  if (bytes > settings.memoryBudgetBytes * ARENA_SHARE) {
    const needed = `at least ${Math.ceil(bytes / ARENA_SHARE / MIB)}MiB`;
    const rings = `${geometry.slots} rings of ${formatSize(settings.ringBytes)}`;
    const why = `${rings} and a gossip cache of ${formatSize(settings.gossipCacheBytes)} (or ringSize, maxPeers or gossipCache smaller)`;
    throw wrongValue('memoryBudget', formatSize(settings.memoryBudgetBytes), 'settings', `${needed} for ${why}`);
  }
  if (bytes > MAX_ARENA_BYTES) {
    const what = `${geometry.slots} rings make an arena of ${Math.ceil(bytes / MIB)}MiB`;
    throw wrongValue('ringSize', formatSize(settings.ringBytes), 'settings', `smaller (${what}, at most 4096MiB)`);
  }
  return geometry;
}
