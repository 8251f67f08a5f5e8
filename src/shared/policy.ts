/**
 * Owns the policy table's vocabulary: how messages of one type are encoded, handed to their handler and passed on. One
 * table, built by the handler registry, holds a policy per message type.
 */

/** What happens when a queued type's queue is full. */
export type Overflow = 'back-pressure' | 'drop-new' | 'drop-old';
/** How payloads of a type are read: as bytes, or as values in MessagePack. */
export type Codec = 'raw' | 'msgpack';
/** To how many peers a message is passed on. */
export type Fanout = number | 'all';

/** The part of a policy that an application may state beside its handler; what it leaves out has the default. */
export interface PolicyDeclaration {
  /**
   * `inline`: synchronous, on a view into the ring; one that returns a promise has failed. `queued`: on a copy in shared
   * memory, async, in a bounded queue. Either way a message that was in hand when its worker died is handled again, and all
   * others once. Default: `queued` for an async function, or one that returns a promise for its first message, else `inline`.
   */
  readonly mode?: 'inline' | 'queued';
  /** Queued handlers of this type that run at once in each worker. Default 1, which keeps messages in order. */
  readonly concurrency?: number;
  /** Messages of this type that may wait in each worker. Default 1024. */
  readonly queueLength?: number;
  /** Default `back-pressure`: the connection is not read further until the queue has room. */
  readonly overflow?: Overflow;
  /** Default `raw`: payload bytes untouched. `msgpack`: handlers get `message.value`, senders pass a value. */
  readonly codec?: Codec;
  /**
   * Default false. True: a message that was seen within 5 minutes is dropped before its handler, and a new one is passed
   * on to other peers, once, as soon as its handler is through without an error and without `context.penalize`.
   */
  readonly gossip?: boolean;
  /** Peers that a message of this type is passed on to, 1 to 10000 or `all`, which is the default. */
  readonly fanout?: Fanout;
}

/** A whole policy: what was declared, and defaults for the rest. */
export type Policy = Required<PolicyDeclaration>;

/** A message type that the operator wants passed on, whatever its handler's module says. */
export interface RelayedType {
  readonly type: string;
  readonly fanout: Fanout;
}

export const MAX_FANOUT = 10_000;

const fields: ReadonlySet<string> = new Set<keyof Policy>([
  'mode',
  'concurrency',
  'queueLength',
  'overflow',
  'codec',
  'gossip',
  'fanout',
]);
const modes = ['inline', 'queued'] as const;
const overflows = ['back-pressure', 'drop-new', 'drop-old'] as const;
const codecs = ['raw', 'msgpack'] as const;

function oneOf<T extends string>(type: string, field: string, value: unknown, allowed: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  if (!allowed.includes(value as T)) {
    throw new TypeError(`policy of '${type}': ${field} is ${String(value)}, must be one of ${allowed.join(', ')}`);
  }
  return value as T;
}

function positive(type: string, field: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 1_000_000) {
    throw new TypeError(`policy of '${type}': ${field} is ${String(value)}, must be a whole number from 1 to 1000000`);
  }
  return value;
}

function truth(type: string, field: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean')
    throw new TypeError(`policy of '${type}': ${field} is ${String(value)}, must be true or false`);
  return value;
}

function fanoutOf(type: string, value: unknown): Fanout {
  if (value === undefined || value === 'all') return 'all';
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_FANOUT) return value;
  throw new TypeError(
    `policy of '${type}': fanout is ${String(value)}, must be 'all' or a whole number from 1 to ${MAX_FANOUT}`,
  );
}

/**
 * Fills a declaration up with defaults. `fallbackMode` is `queued` for async handlers, which could not keep a view.
 * @throws TypeError that names the type and field of a wrong value
 */
export function completePolicy(type: string, declared: PolicyDeclaration, fallbackMode: Policy['mode']): Policy {
  for (const field of Object.keys(declared)) {
    if (!fields.has(field)) {
      throw new TypeError(`policy of '${type}': there is no '${field}', only ${[...fields].join(', ')}`);
    }
  }
  return {
    mode: oneOf(type, 'mode', declared.mode, modes, fallbackMode),
    concurrency: positive(type, 'concurrency', declared.concurrency, 1),
    queueLength: positive(type, 'queueLength', declared.queueLength, 1024),
    overflow: oneOf(type, 'overflow', declared.overflow, overflows, 'back-pressure'),
    codec: oneOf(type, 'codec', declared.codec, codecs, 'raw'),
    gossip: truth(type, 'gossip', declared.gossip, false),
    fanout: fanoutOf(type, declared.fanout),
  };
}
