/**
 * A program of the bench as the harness sees it: a process of its own that listens, answers questions and is ended. No
 * run shares a process with another, so nothing is left over.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Answer, Question, Ready, Usage } from './channel.js';

/** How a program is started and ended that somebody wants to look into. */
export interface Instrument {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends it and waits until it is gone. */
  stop(child: ChildProcess): Promise<void>;
}

const running = new Set<Program>();

/** Programs that this process started and has not ended; a harness that is interrupted ends them. */
export function stopAll(): Promise<unknown> {
  return Promise.all([...running].map((program) => program.stop()));
}

export class Program {
  /** Asked of each program that starts; null for none. */
  static instrument: (file: string) => Instrument | null = () => null;
  readonly #child: ChildProcess;
  readonly #instrument: Instrument | null;
  readonly #waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  #next = 0;
  #stopping = false;
  port = 0;

  private constructor(child: ChildProcess, name: string, instrument: Instrument | null) {
    this.#child = child;
    this.#instrument = instrument;
    running.add(this);
    child.on('message', (message: Answer) => {
      const waiter = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error !== undefined) waiter?.reject(new Error(`${name}: ${message.error}`));
      else waiter?.resolve(message.value as never);
    });
    child.on('exit', (code, signal) => {
      running.delete(this);
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended with ${signal ?? code}`));
      this.#waiting.clear();
      if (!this.#stopping && code !== 0) process.stderr.write(`bench: ${name} ended with ${signal ?? code}\n`);
    });
  }

  /** Starts a program of the bench. @param file relative to this folder, as compiled; settles when it is ready */
  static async start(file: string, options: object): Promise<Program> {
    const instrument = Program.instrument(file);
    const child = fork(new URL(file, import.meta.url), [JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...(instrument?.execArgv ?? [])],
      env: { ...process.env, ...instrument?.env },
    });
    const program = new Program(child, file, instrument);
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${code} before it was ready`);
    });
    const [ready] = (await Promise.race([once(child, 'message'), failed])) as [Ready];
    failed.catch(() => undefined);
    program.port = ready.port;
    return program;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Asks the program something. @throws Error if it can't answer or has ended */
  ask<T>(name: string, argument?: unknown): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, name, argument } satisfies Question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  usage(): Promise<Usage> {
    return this.ask('usage');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#instrument !== null) {
      await this.#instrument.stop(this.#child);
      return;
    }
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
