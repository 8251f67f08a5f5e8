/**
 * Owns a bounded set of connections that strangers fill: handshakes under way, refused ones that linger. When it is full
 * the host that has most in it loses its oldest, so that no host keeps others out. Main thread.
 */
import { hostKeyOf } from '../peers/net-group.js';

/** What decides who gives way. */
interface Comer {
  readonly ip: string;
}

export class Crowd<T extends Comer> {
  readonly #max: number;
  /** By host, each one's oldest first. */
  readonly #hosts = new Map<string, Set<T>>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes one in. @returns who has to go for it; null if there was room */
  add(comer: T): T | null {
    const host = hostKeyOf(comer.ip);
    const members = this.#hosts.get(host);
    if (members === undefined) this.#hosts.set(host, new Set([comer]));
    else members.add(comer);
    this.#size++;
    return this.#size <= this.#max ? null : this.takeOldest();
  }

  /** Takes out the oldest of the host that has most; null if nobody is in it. */
  takeOldest(): T | null {
    let largest: Set<T> | null = null;
    for (const one of this.#hosts.values()) if (largest === null || one.size > largest.size) largest = one;
    if (largest === null) return null;
    const [oldest] = largest as Set<T>;
    this.delete(oldest);
    return oldest;
  }

  delete(comer: T): void {
    const host = hostKeyOf(comer.ip);
    const members = this.#hosts.get(host);
    if (members === undefined || !members.delete(comer)) return;
    this.#size--;
    if (members.size === 0) this.#hosts.delete(host);
  }
}
