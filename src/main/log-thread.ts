/**
 * The main thread's side of the log: where pino puts serialised lines. Owns the file that they go to, the thread that
 * writes them (`log-transport.ts`), how many may wait for it, and that none is lost at the end of the process.
 *
 * The thread starts with the first line, or when it is told to: who logs nothing pays for none.
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type DestinationStream, pino } from 'pino';
import { NodeError } from '../shared/errors.js';
import type { LogFormat } from './config/settings.js';
import type { TransportOptions, TransportOrder } from './log-transport.js';

const STDOUT_FD = 1;
/** The log tells who was here and when: others on the machine need not read it. */
const FILE_MODE = 0o640;
/** What may wait beside the 4 MiB that pino's thread has room for; lines beyond are counted and left out. */
const WAITING_CHARS_MAX = 1024 * 1024;
/** How long the end may wait for a reader that has stopped, or a full disk. */
const CLOSE_WITHIN_MS = 1000;
const EXIT_WITHIN_MS = 500;
/** A thread that died is not started again at once. */
const RESTART_AFTER_MS = 1000;

/** Pino's stream, and what its types leave out. */
type Stream = ReturnType<typeof pino.transport> & { readonly writable: boolean; readonly worker: Worker; ref(): void };

/** What is to be done for each thread at the end of the process, by one listener: Node warns of an eleventh. */
const endings = new Set<() => void>();
const endAll = (): void => {
  for (const end of endings) end();
};

function addEnding(end: () => void): void {
  // Ahead of pino's own listener, which waits without end for a thread that has yet to start.
  if (endings.size === 0) process.prependListener('exit', endAll);
  endings.add(end);
}

function removeEnding(end: () => void): void {
  if (endings.delete(end) && endings.size === 0) process.off('exit', endAll);
}

export interface LogThreadOptions {
  /** Absolute path; null: standard output. */
  readonly file: string | null;
  readonly format: LogFormat;
  /** There is room again after so many lines were left out. */
  leftOut(lines: number): void;
}

export class LogThread implements DestinationStream {
  readonly #options: LogThreadOptions;
  /** Descriptors of ours that the thread may write to; the last is the newest. */
  readonly #fds: number[] = [];
  /** What the thread is to write to. A line that is written after a store is seen by the thread after it. */
  readonly #fdCell = new Int32Array(new SharedArrayBuffer(4)).fill(STDOUT_FD);
  #stream: Stream | null = null;
  /** Characters taken since the thread last had room. */
  #waitingChars = 0;
  #leftOut = 0;
  #startAgainMs = 0;
  #fault: string | null = null;
  #closing: Promise<void> | null = null;
  #closed = false;

  /** @throws NodeError ERR_PAW_LOG_FILE when the file can't be opened */
  constructor(options: LogThreadOptions) {
    this.#options = options;
    this.#open();
  }

  /** Code of why lines can't be written now, null while they can. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Takes a line. Never waits and never throws: what there is no room for is counted. */
  write(line: string): void {
    if (this.#closed) return;
    const stream = this.start();
    if (stream === null || !stream.writable || this.#waitingChars >= WAITING_CHARS_MAX) {
      this.#leftOut++;
      return;
    }
    if (stream.write(line)) this.#hasRoom();
    else this.#waitingChars += line.length;
  }

  /** Starts the thread, if it does not run. Null: it died, and it is too early. */
  start(): Stream | null {
    if (this.#stream === null && performance.now() >= this.#startAgainMs) this.#launch();
    return this.#stream;
  }

  /**
   * Opens the file anew: lines go to what bears its name now. Without a file nothing happens.
   * @returns whether there is a file
   * @throws NodeError ERR_PAW_LOG_FILE when it can't be opened; the log goes on into the old one
   */
  reopen(): boolean {
    if (this.#closing !== null || this.#options.file === null) return false;
    this.#open();
    if (this.#stream === null) this.#releaseOld();
    else order(this.#stream, { kind: 'reopen' });
    return true;
  }

  /** Writes what waits, within a second, and ends the thread. Lines that come later are dropped. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const stream = this.#stream;
    if (stream !== null) {
      // Else the process could end before it hears that all is written.
      stream.ref();
      const gone = new Promise<void>((resolve) => stream.once('close', resolve));
      order(stream, { kind: 'finish', withinMs: CLOSE_WITHIN_MS });
      await Promise.race([gone, new Promise<void>((resolve) => stream.flush(() => resolve()))]);
      this.#hasRoom();
      this.#closed = true;
      stream.end();
      await gone;
    }
    this.#closed = true;
    removeEnding(this.#atExit);
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }

  #open(): void {
    const { file } = this.#options;
    if (file === null) return;
    const fd = openLogFile(file);
    this.#fds.push(fd);
    Atomics.store(this.#fdCell, 0, fd);
  }

  /** Closes all that were opened before the one that is written to, or before the newest. */
  #releaseOld(fd = this.#fds.at(-1)): void {
    const before = fd === undefined ? -1 : this.#fds.indexOf(fd);
    if (before > 0) for (const old of this.#fds.splice(0, before)) closeSync(old);
  }

  #launch(): void {
    const { format, file } = this.#options;
    const colorize = file === null && process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
    const options: TransportOptions = {
      fdCell: this.#fdCell.buffer,
      pretty: format === 'pretty' ? { colorize } : null,
    };
    addEnding(this.#atExit);
    const target = new URL('./log-transport.js', import.meta.url).href;
    const stream = pino.transport({ target, options, worker: { autoEnd: false } }) as Stream;
    this.#stream = stream;
    stream.on('drain', () => this.#hasRoom());
    stream.on('opened', (fd: number) => this.#releaseOld(fd));
    stream.on('fault', (code: string | null) => this.#faultChanged(code));
    stream.on('error', (error: Error) => this.#died(stream, error));
    // One that fails while it starts says so here alone, and would take the process with it.
    stream.worker.on('error', (error: Error) => this.#died(stream, error));
    // All that is heard of a thread that ends as if it had been told to.
    stream.on('close', () => this.#died(stream, new Error('the thread has ended on its own')));
  }

  #hasRoom(): void {
    this.#waitingChars = 0;
    const lines = this.#leftOut;
    if (lines === 0 || this.#closed) return;
    // First, since the line that tells it comes through here as well.
    this.#leftOut = 0;
    this.#options.leftOut(lines);
  }

  /** The log can't tell of itself now, so it is told on standard error, once. */
  #faultChanged(code: string | null): void {
    this.#fault = code;
    if (code === null) return;
    const where = this.#options.file ?? 'standard output';
    const then = code === 'EPIPE' ? 'its reader is gone; the node goes on without a log' : 'lines wait until it can';
    process.emitWarning(`the log can't be written to ${where} (${code}): ${then}`, 'LogWarning');
  }

  #died(stream: Stream, error: Error): void {
    if (this.#stream !== stream || this.#closed) return;
    this.#stream = null;
    this.#waitingChars = 0;
    this.#startAgainMs = performance.now() + RESTART_AFTER_MS;
    // A thread that is gone releases nothing.
    this.#releaseOld();
    process.emitWarning(
      `the thread of the log failed and is started again; lines may be lost: ${error.message}`,
      'LogWarning',
    );
  }

  /** However the process ends but by a signal that kills it: what waits is written first. */
  readonly #atExit = (): void => {
    const stream = this.#stream;
    if (stream === null) return;
    order(stream, { kind: 'finish', withinMs: EXIT_WITHIN_MS });
    this.#hasRoom();
    try {
      stream.flushSync();
    } catch {
      // The thread is gone: nobody is left who could write.
    }
  };
}

function order(stream: Stream, message: TransportOrder): void {
  // How pino's stream posts to its thread.
  stream.emit('message', message);
}

function openLogFile(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  try {
    // A named pipe without a reader would hold the node for ever.
    return openSync(file, O_WRONLY | O_APPEND | O_CREAT | (O_NONBLOCK ?? 0), FILE_MODE);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new NodeError('ERR_PAW_LOG_FILE', `can't open the log file ${file}: ${code ?? message}`, { cause: error });
  }
}
