/** What the ends of connections say to each other, by number, so that whoever hears it knows what is due. */
import type { Connection } from '../../src/main/net/connection.js';

/** Numbers that were given to messages of one kind, and what has become of them. */
export class Series {
  sent = 0;
  /** Sends that wait for room in their queue. */
  waiting = 0;
  /** How many have arrived where they go to, or have come back. */
  heard = 0;
  /** Those that were never sent, since there was no memory for them: nobody waits for them. */
  readonly #withdrawn = new Set<number>();

  take(): number {
    return this.sent++;
  }

  withdraw(number: number): void {
    this.#withdrawn.add(number);
  }

  /** The next that is due, behind all that have been heard. */
  get due(): number {
    let number = this.heard;
    while (this.#withdrawn.has(number)) number++;
    return number;
  }

  /** Message `number` is here. @returns how many before it are not, and never will be */
  hear(number: number): number {
    let missing = 0;
    for (; this.due < number; this.heard = this.due + 1) missing++;
    this.heard = number + 1;
    return missing;
  }

  /** How many are yet to be heard. */
  get left(): number {
    let left = 0;
    for (let number = this.heard; number < this.sent; number++) if (!this.#withdrawn.has(number)) left++;
    return left;
  }
}

/** From one end of a connection to the other. */
export class Stream {
  readonly id: number;
  readonly connection: Connection;
  /** Messages, heard by the peer. */
  readonly told = new Series();
  /** Requests, heard once the answer is back. */
  readonly asked = new Series();

  constructor(id: number, connection: Connection) {
    this.id = id;
    this.connection = connection;
  }
}

/** All streams of a network. */
export class Streams {
  readonly #all: Stream[] = [];

  open(connection: Connection): Stream {
    const stream = new Stream(this.#all.length, connection);
    this.#all.push(stream);
    return stream;
  }

  of(id: number): Stream | undefined {
    return this.#all[id];
  }
}
