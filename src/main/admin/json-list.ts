/**
 * Owns how lists are answered. A long one is written in slices with turns of the event loop between: an address book is
 * 17 MB of JSON, and nothing else would happen on the main thread while it is made. Main thread.
 */
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';

/** 50 kB, one or two milliseconds of work. */
const SLICE_ITEMS = 250;

/** Answers `{name: items}`. Items of anything but an array are asked for as they are written. */
export function sendList(reply: FastifyReply, name: string, items: Iterable<unknown>): FastifyReply {
  if (Array.isArray(items) && items.length <= SLICE_ITEMS) return reply.send({ [name]: items });
  reply.type('application/json; charset=utf-8');
  return reply.send(Readable.from(paced(slicesOf(name, items)), { objectMode: false }));
}

function* slicesOf(name: string, items: Iterable<unknown>): Generator<string> {
  let text = `{${JSON.stringify(name)}:[`;
  let count = 0;
  for (const item of items) {
    if (count > 0 && count % SLICE_ITEMS === 0) {
      yield text;
      text = '';
    }
    text += count === 0 ? JSON.stringify(item) : `,${JSON.stringify(item)}`;
    count++;
  }
  yield `${text}]}`;
}

/** One slice a turn: a reader that takes whatever comes would otherwise get them all in one. */
async function* paced(slices: Iterable<string>): AsyncGenerator<string> {
  for (const slice of slices) {
    yield slice;
    await setImmediate();
  }
}
