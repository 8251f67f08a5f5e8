/**
 * Owns what `GET /events` sends to everybody who watches: what happens with peers and workers, and a sample of the
 * statistics every second, as server-sent events. Main thread. Costs nothing while nobody watches. A storm of events, or
 * a watcher who does not read, makes it leave events out and say how many; it never queues without bound.
 */
import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { NodeEvents, NodeView } from '../api.js';

const SAMPLE_MS = 1000;
/** Events of one kind that are told in one second. */
const EVENTS_PER_SECOND = 100;
/** Bytes that may wait for one watcher. */
const WAITING_BYTES_MAX = 256 * 1024;
/** The rest of the admin's connections is for calls. */
export const WATCHERS_MAX = 16;

const told = [
  'peer:connected',
  'peer:disconnected',
  'peer:rejected',
  'peer:banned',
  'worker:restarted',
] as const satisfies readonly (keyof NodeEvents)[];

interface Watcher {
  readonly response: ServerResponse;
  /** What was asked for when it came: who bears only that may watch no longer once it is another. */
  readonly token: string | null;
  /** Events left out for this one since it was last told. */
  missed: number;
}

export class EventStream {
  readonly #view: NodeView;
  readonly #token: () => string | null;
  readonly #watchers = new Set<Watcher>();
  readonly #listeners = told.map((name) => [name, (data: unknown) => this.#happened(name, data)] as const);
  /** Events of each kind since the last sample. */
  readonly #recent = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param token that a caller must bear now, null for none */
  constructor(view: NodeView, token: () => string | null) {
    this.#view = view;
    this.#token = token;
  }

  /** Whether there is no room for another watcher. */
  get isFull(): boolean {
    return this.#watchers.size >= WATCHERS_MAX;
  }

  /**
   * Sends to `response`, whose head is written, until it closes, or ends it when the token is exchanged. The first event is
   * a sample.
   */
  add(response: ServerResponse, connection: EventEmitter = response): void {
    if (this.#watchers.size === 0) this.#begin();
    const watcher: Watcher = { response, token: this.#token(), missed: 0 };
    this.#watchers.add(watcher);
    const gone = () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#end();
    };
    // A response that waits behind another on its connection is never told that it closed; the connection is.
    response.once('close', gone);
    connection.once('close', gone);
    this.#send(watcher, this.#sample());
  }

  #begin(): void {
    for (const [name, listener] of this.#listeners) this.#view.on(name, listener);
    this.#timer = setInterval(() => this.#tick(), SAMPLE_MS);
  }

  #end(): void {
    for (const [name, listener] of this.#listeners) this.#view.off(name, listener);
    clearInterval(this.#timer);
    this.#recent.clear();
  }

  #happened(name: string, data: unknown): void {
    const count = (this.#recent.get(name) ?? 0) + 1;
    this.#recent.set(name, count);
    if (count <= EVENTS_PER_SECOND) this.#sendAll(frame(name, data));
    else for (const watcher of this.#watchers) watcher.missed++;
  }

  #tick(): void {
    this.#recent.clear();
    this.#sendAll(this.#sample());
  }

  #sample(): string {
    return frame('stats', this.#view.status());
  }

  #sendAll(text: string): void {
    for (const watcher of this.#watchers) this.#send(watcher, text);
  }

  #send(watcher: Watcher, text: string): void {
    const { response } = watcher;
    if (watcher.token !== this.#token()) {
      response.destroy();
      return;
    }
    if (response.writableLength > WAITING_BYTES_MAX) {
      watcher.missed++;
      return;
    }
    const missed = watcher.missed === 0 ? '' : frame('missed', { events: watcher.missed });
    watcher.missed = 0;
    response.write(missed + text);
  }
}

/** One event on the wire; `time` is when it was told, ISO 8601. JSON has no line breaks of its own. */
function frame(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify({ time: new Date().toISOString(), ...(data as object) })}\n\n`;
}
