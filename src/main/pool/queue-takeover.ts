/**
 * What becomes of the messages that a dead worker's queued handlers had or waited for. Main thread, while no thread runs
 * for the worker. Changes nothing but their segments, the seen table's marks, and what counts them.
 */
import type { Arena } from '../../shared/memory/arena.js';
import { Worker } from '../../shared/memory/arena-layout.js';
import { EntryState, EntryWord, isOfUnfinishedFrame, openEntries } from '../../shared/memory/queue-segment.js';

/** A message that was at work at so many deaths is not handled again, as it is with frames. */
const DEATHS_MAX = 2;

export interface QueueTakeover {
  /** Messages that the replacement is to handle. */
  readonly waiting: number;
  /** A handler was being called when the worker died: it was its doing, and not that of a frame in hand. */
  readonly wasStarting: boolean;
  /** Connections whose messages are given up because they brought a worker down twice; one entry for each message. */
  readonly poisoned: readonly { readonly slot: number; readonly generation: number }[];
}

interface Place {
  readonly words: Int32Array;
  readonly at: number;
}

/**
 * Readies queues for a replacement. Messages whose frames come again are cut off, all others wait again in their order.
 * Suspected is the one whose handler was just being called; else, if no frame was in hand, all whose handlers were at work,
 * since any of them may have gone on to do it.
 */
export function takeOverQueues(
  segments: Iterable<SharedArrayBuffer>,
  arena: Arena,
  worker: number,
  isFrameInHand: boolean,
): QueueTakeover {
  const starting: Place[] = [];
  const running: Place[] = [];
  let waiting = 0;
  for (const segment of segments) {
    const words = new Int32Array(segment);
    for (const at of openEntries(words)) {
      if (isOfUnfinishedFrame(words, at, arena)) {
        words[at + EntryWord.State] = EntryState.Done;
        continue;
      }
      waiting++;
      const state = words[at + EntryWord.State];
      words[at + EntryWord.State] = EntryState.Waiting;
      if (state === EntryState.Starting) starting.push({ words, at });
      else if (state === EntryState.Running) running.push({ words, at });
    }
  }
  const wasStarting = starting.length > 0;
  const suspects = wasStarting ? starting : isFrameInHand ? [] : running;
  const poisoned = suspects.filter(({ words, at }) => ++words[at + EntryWord.Deaths] >= DEATHS_MAX);
  for (const place of poisoned) giveUp(place, arena, worker);
  return {
    waiting: waiting - poisoned.length,
    wasStarting,
    poisoned: poisoned.map(({ words, at }) => ({
      slot: words[at + EntryWord.Slot],
      generation: words[at + EntryWord.Generation],
    })),
  };
}

/** It stays remembered if it is gossip: copies of it are no better. */
function giveUp({ words, at }: Place, arena: Arena, worker: number): void {
  words[at + EntryWord.State] = EntryState.Done;
  const holdAt = words[at + EntryWord.HoldAt];
  if (holdAt === 0) return;
  Atomics.compareExchange(arena.words, holdAt, words[at + EntryWord.HoldMark], 0);
  arena.words[arena.layout.worker(worker) + Worker.SeenHeld]--;
}
