/**
 * Owns the page's live connection to the node, `GET /events`: opens it, notices when it is silent, opens it again. A page
 * that nobody has looked at for long lets it go, since a browser has few connections to one host. Browser.
 */
import type { NodeStatus } from '../../api.js';
import { type LoggedEvent, loggedEvents } from './event-text.js';
import { nodeClient } from './node-client.js';

const REFUSED = 'The node answers, but sends no live events: it has too many watchers, or wants another token.';
const RETRY_MS = 1000;
/** Samples come every second. */
const SILENT_MS = 5000;
const HIDDEN_KEEP_MS = 10 * 60_000;
const WATCH_EVERY_MS = 1000;

/** What the node tells every second. */
export type Sample = NodeStatus & {
  /** When it was taken, by the node's clock; ISO 8601. */
  readonly time: string;
};

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly sinceMs: number; readonly why: string };

export interface NodeListener {
  sample(sample: Sample): void;
  happened(event: LoggedEvent, timeMs: number): void;
  connection(now: Connection): void;
}

export class NodeEventSource {
  readonly #listener: NodeListener;
  #source: EventSource | null = null;
  #now: Connection = { kind: 'connecting' };
  /** When anything came last, or was begun. By the browser's steady clock. */
  #heardMs = 0;
  #hiddenSinceMs: number | null = null;

  constructor(listener: NodeListener) {
    this.#listener = listener;
  }

  get isLive(): boolean {
    return this.#now.kind === 'live';
  }

  start(): void {
    this.#open();
    setInterval(() => this.#watch(), WATCH_EVERY_MS);
    document.addEventListener('visibilitychange', () => {
      this.#hiddenSinceMs = document.hidden ? performance.now() : null;
      if (!document.hidden && this.#source === null) this.#open();
    });
    // A page that is left for another may come back as it was, but its connection does not.
    window.addEventListener('pagehide', () => this.#close());
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#open());
  }

  #open(): void {
    this.#close();
    const source = new EventSource('events');
    this.#source = source;
    this.#heardMs = performance.now();
    source.addEventListener('stats', ({ data }: MessageEvent<string>) => {
      this.#heardMs = performance.now();
      if (!this.isLive) this.#become({ kind: 'live' });
      this.#listener.sample(JSON.parse(data) as Sample);
    });
    for (const name of loggedEvents) {
      source.addEventListener(name, ({ data }: MessageEvent<string>) => {
        const { time, ...rest } = JSON.parse(data) as { time: string };
        this.#listener.happened({ name, data: rest } as unknown as LoggedEvent, Date.parse(time));
      });
    }
    source.addEventListener('error', () => {
      // Closed for good: the node answered, but not with events.
      if (source.readyState === EventSource.CLOSED) void this.#refused();
      else this.#lost('The node does not answer.');
    });
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
  }

  #watch(): void {
    const nowMs = performance.now();
    if (this.#hiddenSinceMs !== null && nowMs - this.#hiddenSinceMs > HIDDEN_KEEP_MS) this.#close();
    else if (this.#source === null) {
      if (nowMs - this.#heardMs >= RETRY_MS) this.#open();
    } else if (nowMs - this.#heardMs > SILENT_MS) this.#lost('The node is silent.');
  }

  async #refused(): Promise<void> {
    this.#lost('The node does not answer.');
    const isAlive = await nodeClient.isAlive();
    // Meanwhile it may have been opened again.
    if (isAlive && this.#now.kind === 'lost') this.#become({ ...this.#now, why: REFUSED });
  }

  /** Everything is opened again a little later, by `#watch`. */
  #lost(why: string): void {
    this.#close();
    this.#heardMs = performance.now();
    const sinceMs = this.#now.kind === 'lost' ? this.#now.sinceMs : Date.now();
    this.#become({ kind: 'lost', sinceMs, why });
  }

  #become(now: Connection): void {
    this.#now = now;
    this.#listener.connection(now);
  }
}
