/**
 * What becomes of the messages that a dead worker's queued handlers had or waited for. Main thread, while no thread runs
 * for the worker. Changes nothing but their segments, the seen table's marks, and what counts them.
 */
import type { Arena } from '../../shared/memory/arena.js';
import { Worker } from '../../shared/memory/arena-layout.js';
import { EntryState, EntryWord, isOfUnfinishedFrame, openEntries } from '../../shared/memory/queue-segment.js';

/** Deaths that are a message's doing, as far as anybody can tell; it is not handled again, as it is with frames. */
const DEATHS_MAX = 2;
/** Deaths at which it was at work, but others were as well: it may be innocent, and yet the worker must get on. */
const DOUBTFUL_DEATHS_MAX = 5;

export interface QueueTakeover {
  /** Messages that the replacement is to handle. */
  readonly waiting: number;
  /** Connections whose messages are given up because they brought a worker down twice; one entry for each message. */
  readonly poisoned: readonly Sender[];
  /** Messages that are given up, though nobody knows whether it was their doing. */
  readonly doubtful: number;
}

/** The connection that messages came from. */
export interface Sender {
  readonly slot: number;
  readonly generation: number;
}

interface Place {
  readonly words: Int32Array;
  readonly at: number;
}

/**
 * Readies queues for a replacement. Messages whose frames come again are cut off, all others wait again in their order.
 * Suspected is the one whose handler was just being called; else, if no frame was in hand, all whose handlers were at work,
 * since any of them may have gone on to do it. Only who was alone at work at a second death is found to have done it.
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
  for (const { words, at } of openPlaces(segments)) {
    if (isOfUnfinishedFrame(words, at, arena)) {
      words[at + EntryWord.State] = EntryState.Done;
      continue;
    }
    waiting++;
    const state = words[at + EntryWord.State];
    if (state === EntryState.Starting) starting.push({ words, at });
    else if (state === EntryState.Running) running.push({ words, at });
  }
  const suspects = starting.length > 0 ? starting : isFrameInHand ? [] : running;
  for (const { words, at } of suspects) words[at + EntryWord.Deaths]++;
  // Who was just being called needs no further finding out.
  for (const { words, at } of starting) words[at + EntryWord.State] = EntryState.Waiting;
  for (const { words, at } of running) {
    words[at + EntryWord.State] = words[at + EntryWord.Deaths] > 0 ? EntryState.Suspected : EntryState.Waiting;
  }
  const isSure = suspects.length === 1;
  const deathsMax = isSure ? DEATHS_MAX : DOUBTFUL_DEATHS_MAX;
  const givenUp = suspects.filter(({ words, at }) => words[at + EntryWord.Deaths] >= deathsMax);
  for (const place of givenUp) giveUp(place, arena, worker);
  return {
    waiting: waiting - givenUp.length,
    poisoned: isSure ? givenUp.map(senderOf) : [],
    doubtful: isSure ? 0 : givenUp.length,
  };
}

/** Gives up all that a connection has left in queues, since its peer is cut off. @returns how many messages */
export function giveUpFrom(
  { slot, generation }: Sender,
  segments: Iterable<SharedArrayBuffer>,
  arena: Arena,
  worker: number,
): number {
  let messages = 0;
  for (const place of openPlaces(segments)) {
    const from = senderOf(place);
    if (from.slot !== slot || from.generation !== generation) continue;
    giveUp(place, arena, worker);
    messages++;
  }
  return messages;
}

function* openPlaces(segments: Iterable<SharedArrayBuffer>): Iterable<Place> {
  for (const segment of segments) {
    const words = new Int32Array(segment);
    for (const at of openEntries(words)) yield { words, at };
  }
}

function senderOf({ words, at }: Place): Sender {
  return { slot: words[at + EntryWord.Slot], generation: words[at + EntryWord.Generation] };
}

/** It stays remembered if it is gossip: copies of it are no better. */
function giveUp({ words, at }: Place, arena: Arena, worker: number): void {
  words[at + EntryWord.State] = EntryState.Done;
  const holdAt = words[at + EntryWord.HoldAt];
  if (holdAt === 0) return;
  Atomics.compareExchange(arena.words, holdAt, words[at + EntryWord.HoldMark], 0);
  arena.words[arena.layout.worker(worker) + Worker.SeenHeld]--;
}
