/**
 * What pino's transport thread runs: takes lines that the main thread has serialised, makes them pretty where people
 * read them, and writes them whole and in their order. It opens and closes nothing: descriptors are the main thread's
 * (`log-thread.ts`).
 *
 * What can't be written now, because a reader is slow or a disk is full, waits here and is tried again. Nothing is left
 * out here but at the end: as long as this side waits, the other side's buffer fills, and what it has no room for it
 * counts.
 */
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { parentPort } from 'node:worker_threads';

/** Waits between two tries to write, doubled each time nothing could be written. */
const RETRY_MS_MIN = 2;
const RETRY_MS_MAX = 100;
const NEWLINE = 10;

/** What the thread starts with. */
export interface TransportOptions {
  /** One Int32: the descriptor that lines are written to from now on. The main thread stores it. */
  readonly fdCell: SharedArrayBuffer;
  /** Null: lines stay JSON. */
  readonly pretty: { readonly colorize: boolean } | null;
}

/** Main thread to transport. */
export type TransportOrder =
  /** There is another descriptor: answered by the event `opened` with it, also when no line comes. */
  | { readonly kind: 'reopen' }
  /** The end is near: what can't be written within this time is given up. */
  | { readonly kind: 'finish'; readonly withinMs: number };

type Shape = (line: string) => string | undefined;

/** Opens the transport. Called by pino in its thread. */
export default async function openTransport({ fdCell, pretty }: TransportOptions): Promise<Writable> {
  return new LogTransport(new Int32Array(fdCell), pretty === null ? null : await prettyShape(pretty.colorize));
}

async function prettyShape(colorize: boolean): Promise<Shape> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({ singleLine: true, translateTime: 'SYS:HH:MM:ss.l', colorize });
}

class LogTransport extends Writable {
  readonly #shape: Shape | null;
  readonly #fdCell: Int32Array;
  #fd: number;
  /** The beginning of a line whose end has not come yet. */
  #rest = '';
  /** Whole lines that are being written, and how far. */
  #bytes = Buffer.alloc(0);
  #offset = 0;
  /** Says that they are written; null when nothing waits. */
  #written: (() => void) | null = null;
  #retryMs = RETRY_MS_MIN;
  #retryTimer: NodeJS.Timeout | null = null;
  /** Code of what stands in the way, as the main thread was told. */
  #fault: string | null = null;
  /** Nobody will ever take what is written. */
  #givenUp = false;

  constructor(fdCell: Int32Array, shape: Shape | null) {
    // Never more than one chunk is taken on: pino's thread says that lines are written once we have said so.
    super({ decodeStrings: false, highWaterMark: 1 });
    this.#fdCell = fdCell;
    this.#fd = Atomics.load(fdCell, 0);
    this.#shape = shape;
    tell('opened', this.#fd);
    parentPort!.on('message', (order: TransportOrder) => {
      if (order.kind === 'reopen') this.#reopen();
      else if (order.kind === 'finish') setTimeout(() => this.#giveUp(), order.withinMs);
    });
  }

  override _write(chunk: string, _encoding: BufferEncoding, written: () => void): void {
    // Lines overtake the order, which is a message; the cell was stored before the first of them was written.
    this.#reopen();
    const text = this.#rest + chunk;
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.slice(end);
    this.#bytes = Buffer.from(this.#shaped(text.slice(0, end)));
    this.#offset = 0;
    this.#written = written;
    this.#put();
  }

  #shaped(lines: string): string {
    const shape = this.#shape;
    if (shape === null || lines === '') return lines;
    return lines
      .trimEnd()
      .split('\n')
      .map((line) => shape(line) ?? '')
      .join('');
  }

  #put(): void {
    if (this.#written === null) return;
    const from = this.#offset;
    try {
      if (!this.#givenUp) this.#writeUpTo(this.#bytes.length);
    } catch (error) {
      if (this.#offset > from) this.#retryMs = RETRY_MS_MIN;
      this.#hindered((error as NodeJS.ErrnoException).code ?? String(error));
      return;
    }
    if (!this.#givenUp) this.#tellFault(null);
    this.#retryMs = RETRY_MS_MIN;
    const written = this.#written;
    this.#written = null;
    written();
  }

  #writeUpTo(end: number): void {
    while (this.#offset < end) {
      this.#offset += writeSync(this.#fd, this.#bytes, this.#offset, end - this.#offset);
    }
  }

  #hindered(code: string): void {
    if (code !== 'EAGAIN') this.#tellFault(code);
    if (code === 'EPIPE') {
      this.#giveUp();
      return;
    }
    this.#retryTimer = setTimeout(() => this.#put(), this.#retryMs);
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
  }

  #giveUp(): void {
    this.#givenUp = true;
    this.#retryNow();
  }

  #reopen(): void {
    const fd = Atomics.load(this.#fdCell, 0);
    if (fd === this.#fd) return;
    this.#finishLine();
    this.#fd = fd;
    this.#givenUp = false;
    tell('opened', fd);
    this.#retryNow();
  }

  /** No line is split between two files: the old one gets its end, or the new one gets it whole. */
  #finishLine(): void {
    const isWithinLine = this.#written !== null && this.#offset > 0 && this.#bytes[this.#offset - 1] !== NEWLINE;
    if (!isWithinLine) return;
    const start = this.#bytes.lastIndexOf(NEWLINE, this.#offset - 1) + 1;
    try {
      this.#writeUpTo(this.#bytes.indexOf(NEWLINE, this.#offset) + 1);
    } catch {
      this.#offset = start;
    }
  }

  #retryNow(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#put();
  }

  #tellFault(code: string | null): void {
    if (code === this.#fault) return;
    this.#fault = code;
    tell('fault', code);
  }
}

/** Reaches the main thread as an event of pino's stream. */
function tell(name: 'opened' | 'fault', argument: number | string | null): void {
  parentPort!.postMessage({ code: 'EVENT', name, args: [argument] });
}
