/**
 * Owns the policy table: which message types this worker knows, and for each its route, the one place that says who
 * gets it and how. Worker thread. Loads the application's handler modules.
 */
import { NodeError } from '../shared/errors.js';
import type { DeclaredHandler, Handler, HandlerModule } from '../shared/handler.js';
import { completePolicy, type Policy, type PolicyDeclaration, type RelayedType } from '../shared/policy.js';
import { ControlType, isControlType } from '../shared/wire/message-type.js';
import type { HandlerQueue } from './handler-queue.js';
import type { TypeInterner } from './type-interner.js';

/** Control messages of the protocol; they never wait behind application handlers. */
export const Control = { None: 0, Ping: 1, Pong: 2, Disconnect: 3, Pex: 4 } as const;
export type Control = (typeof Control)[keyof typeof Control];

/** Where messages of a type go. */
export interface Route {
  readonly control: Control;
  policy: Policy | null;
  handler: Handler | null;
  /** Only for queued types. */
  queue: HandlerQueue | null;
  /** The main thread subscribed to the type. */
  subscribed: boolean;
  /** Duplicates are dropped, and new messages passed on. */
  gossip: boolean;
  /** Peers that a message is passed on to, 0 for all. */
  fanout: number;
  /** Frames in a row that were handled quickly, up to TRUSTED: until then each is timed. */
  trust: number;
}

/** After so many quick frames of a type, the clock is looked at only once in a while. */
export const TRUSTED = 16;

const controls: readonly (readonly [string, Control])[] = [
  [ControlType.ping, Control.Ping],
  [ControlType.pong, Control.Pong],
  [ControlType.disconnect, Control.Disconnect],
  [ControlType.pexPeers, Control.Pex],
];

/** The route of types that nobody declared. */
export const unknownRoute: Route = {
  control: Control.None,
  policy: null,
  handler: null,
  queue: null,
  subscribed: false,
  gossip: false,
  fanout: 0,
  trust: TRUSTED,
};

/** A route for a type that somebody here declares. */
export function newRoute(): Route {
  return { ...unknownRoute, trust: 0 };
}

function hasMethodsElsewhere(module: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(module);
  return Object.keys(module).length === 0 && prototype !== Object.prototype && prototype !== null;
}

function isAsync(handler: Handler): boolean {
  return handler.constructor.name === 'AsyncFunction';
}

/** With `decided` a queue for a handler of which nobody knows yet how it runs, see HandlerQueue. */
type MakeQueue = (type: string, policy: Policy, decided?: (mode: Policy['mode']) => void) => HandlerQueue;

export class HandlerRegistry {
  readonly #types: TypeInterner<Route>;
  readonly #makeQueue: MakeQueue;
  readonly #onChange: () => void;
  /** Policies declared by the node's options; a handler's own declaration goes before them. */
  readonly #declared = new Map<string, PolicyDeclaration>();
  /** What handlers declare beside themselves, and how they run if nobody says. */
  readonly #own = new Map<string, { readonly declaration: PolicyDeclaration; readonly fallbackMode: Policy['mode'] }>();
  /** What the operator wants passed on goes before both. */
  #relayed: ReadonlyMap<string, PolicyDeclaration> = new Map();
  readonly #policies = new Map<string, Policy>();

  /** @param onChange told when a handler turns out to run in another way than the policy table said */
  constructor(types: TypeInterner<Route>, makeQueue: MakeQueue, onChange: () => void) {
    this.#types = types;
    this.#makeQueue = makeQueue;
    this.#onChange = onChange;
    for (const [name, control] of controls) {
      types.declare(name, () => ({ ...unknownRoute, control }));
    }
  }

  /** The types that are passed on whatever their declarations say; a type that no longer is goes by its own again. */
  relay(types: readonly RelayedType[]): void {
    const before = this.#relayed;
    this.#relayed = new Map(types.map(({ type, fanout }) => [type, { gossip: true, fanout }]));
    for (const type of new Set([...before.keys(), ...this.#relayed.keys()])) this.#setPolicy(type);
  }

  /** Declares types by policy alone, without a handler in the workers. */
  declare(declarations: Readonly<Record<string, PolicyDeclaration>>): void {
    for (const [type, declaration] of Object.entries(declarations)) {
      this.#declared.set(type, declaration);
      this.#setPolicy(type);
    }
  }

  /** Imports a handler module and takes its handlers up. @throws NodeError ERR_PAW_HANDLER_MODULE */
  async load(url: string): Promise<void> {
    try {
      const module = (await import(url)) as { default?: unknown };
      if (typeof module.default !== 'object' || module.default === null) {
        throw new TypeError('its default export must be an object that maps message types to handlers');
      }
      // What has them elsewhere would be taken up in silence, and do nothing.
      if (hasMethodsElsewhere(module.default)) {
        throw new TypeError('its default export must be a plain object, not a Map or an instance of a class');
      }
      this.adopt(module.default as HandlerModule);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new NodeError('ERR_PAW_HANDLER_MODULE', `handler module ${url}: ${why}`, { cause });
    }
  }

  /** Takes handlers up. @throws TypeError that names the type of one that is not right */
  adopt(module: HandlerModule): void {
    for (const [type, handler] of Object.entries(module)) this.#add(type, handler);
  }

  /** Whether the main thread wants messages of this type. */
  subscribe(type: string, wanted: boolean): void {
    this.#route(type).subscribed = wanted;
  }

  /** The policy table: every declared type with its policy. */
  policies(): Record<string, Policy> {
    return Object.fromEntries(this.#policies);
  }

  #add(type: string, exported: Handler | DeclaredHandler): void {
    const { handler, ...declaration }: Partial<DeclaredHandler> =
      typeof exported === 'function' ? { handler: exported } : (exported ?? {});
    if (typeof handler !== 'function') throw new TypeError(`'${type}' has no handler function`);
    if (handler.constructor.name.endsWith('GeneratorFunction')) {
      throw new TypeError(`the handler of '${type}' is a generator, which would never run`);
    }
    const route = this.#route(type);
    if (route.handler !== null) throw new TypeError(`'${type}' has a handler already`);
    this.#own.set(type, { declaration, fallbackMode: isAsync(handler) ? 'queued' : 'inline' });
    const policy = this.#setPolicy(type);
    route.handler = handler;
    const isSaid = (declaration.mode ?? this.#declared.get(type)?.mode) !== undefined;
    if (policy.mode === 'queued') route.queue = this.#makeQueue(type, policy);
    else if (!isSaid) route.queue = this.#makeQueue(type, policy, (mode) => this.#decided(type, mode));
  }

  /** How a handler that did not say runs has shown with its first message: a promise needs a payload that stays. */
  #decided(type: string, mode: Policy['mode']): void {
    if (mode === 'inline') {
      this.#route(type).queue = null;
      return;
    }
    this.#own.set(type, { ...this.#own.get(type)!, fallbackMode: 'queued' });
    this.#setPolicy(type);
    this.#onChange();
  }

  #setPolicy(type: string): Policy {
    const { declaration, fallbackMode = 'inline' } = this.#own.get(type) ?? {};
    const declared = { ...this.#declared.get(type), ...declaration, ...this.#relayed.get(type) };
    const policy = completePolicy(type, declared, fallbackMode);
    const route = this.#route(type);
    route.policy = policy;
    route.gossip = policy.gossip;
    route.fanout = policy.fanout === 'all' ? 0 : policy.fanout;
    this.#policies.set(type, policy);
    return policy;
  }

  #route(type: string): Route {
    if (isControlType(type)) throw new TypeError(`'${type}' belongs to the protocol`);
    return this.#types.declare(type, newRoute).route;
  }
}
