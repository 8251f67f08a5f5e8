/**
 * What the doctor knows when it judges: one reading of everything that its checks look at. Types only; `doctor.ts`
 * gathers it. Main thread. Durations are milliseconds; `wallMs` and times beside it are of the wall clock.
 */
import type { NodeStatus } from '../api.js';
import type { Settings } from '../config/settings.js';
import type { SeedOutcome } from '../discovery/seed-outcomes.js';
import type { Limits } from '../peers/admission.js';
import type { FileDescriptors } from './file-descriptors.js';
import type { SelfDial } from './self-dial.js';

export interface Facts {
  readonly wallMs: number;
  readonly uptimeMs: number;
  readonly nodeId: string;
  readonly settings: Settings;
  readonly status: NodeStatus;
  readonly reach: ReachFacts;
  readonly book: BookFacts;
  readonly seeds: readonly SeedOutcome[];
  readonly persistent: readonly PersistentFacts[];
  readonly clock: ClockFacts;
  readonly peers: readonly PeerFacts[];
  /** The newest failed dials within the last hour that ended with a node of another chain or version. */
  readonly strangers: readonly { readonly address: string; readonly detail: string }[];
  /** Inbound peers refused within the last hour, as far as history goes back, by the limit that they met. */
  readonly refusedBy: Readonly<Record<keyof Limits, number>>;
  readonly workers: readonly WorkerFacts[];
  /** What handlers took since the start, by message type, the slowest on average first. */
  readonly handlers: readonly HandlerFacts[];
  /** Messages that fit into the shortest handler queue; null if nothing is queued ever. */
  readonly shortestQueue: number | null;
  readonly cores: number;
  /** Of the memory budget: what was taken before anybody connected, and stays. */
  readonly fixedBytes: number;
  /** Null where the system does not tell. */
  readonly files: FileDescriptors | null;
  readonly disk: { readonly fault: string | null; readonly freeBytes: number | null };
  /** The most that the main thread was late in each second of the last minute, the newest last. */
  readonly loopLagMs: readonly number[];
}

/** Handlers of one message type, in all workers. */
export interface HandlerFacts {
  readonly type: string;
  readonly messages: number;
  readonly meanMs: number;
}

/** An address to be reached at, as `host:port`, and what came of dialling it ourselves; null if it was not dialled. */
export interface DialledAddress {
  readonly address: string;
  readonly dial: SelfDial | null;
}

export interface ReachFacts {
  readonly listenHost: string;
  readonly listenPort: number;
  /** What we listen on, on this machine. */
  readonly listen: DialledAddress;
  /** Null: the operator has named none. */
  readonly external:
    | (DialledAddress & {
        /** Why it is told to nobody. */
        readonly fault: 'unknown-name' | 'not-routable' | null;
        /** The IP address that peers are told since the start, and the one that its name leads to now; null for none. */
        readonly toldIp: string | null;
        readonly ip: string | null;
      })
    | null;
  /** Addresses that others tell for our node ID and that we don't know as ours, those that most tell first. */
  readonly told: readonly (DialledAddress & { readonly voices: number })[];
  /** Whether this machine has an address of its own that the internet routes; true where that is not known. */
  readonly hasPublicIp: boolean;
  /** Inbound peers: from outside (in strict mode routable addresses, else any), and from elsewhere. */
  readonly outside: InboundFacts;
  readonly inside: InboundFacts;
}

export interface InboundFacts {
  readonly now: number;
  /** In this run. */
  readonly count: number;
  /** When the last came; null for never. */
  readonly lastMs: number | null;
}

export interface BookFacts {
  readonly known: number;
  /** Of those that were looked at: it is no more than a sample of a large book. */
  readonly sample: {
    readonly size: number;
    /** Dials in a row have failed. */
    readonly failing: number;
    /** Banned, or their reputation is too low. */
    readonly unwanted: number;
    /** Connected now. */
    readonly connected: number;
    /** Different netgroups: an outbound peer is had from each at most. */
    readonly netGroups: number;
  };
}

export interface PersistentFacts {
  /** As it was configured. */
  readonly address: string;
  readonly isConnected: boolean;
  /** Dials in a row that have failed. */
  readonly attempts: number;
  readonly fault: { readonly code: number | string; readonly reason: string } | null;
}

export interface ClockFacts {
  /** How far others' clocks are ahead of ours, one figure a netgroup. */
  readonly aheadMs: readonly number[];
  /** Only netgroups that we dialled. */
  readonly areChosen: boolean;
  /** How far the last run's clock was ahead of ours when this run began. */
  readonly lastRunAheadMs: number;
  /** How far the wall clock was set on (or back, below 0) since the start. */
  readonly setByMs: number;
}

export interface PeerFacts {
  readonly id: string;
  readonly address: string;
  readonly persistent: boolean;
  readonly rttMs: number | null;
  readonly queuedBytes: number;
}

export interface WorkerFacts {
  readonly isLive: boolean;
  /** 0 if it has not had a turn for a while: an old figure says nothing. */
  readonly lagMs: number;
  readonly queuedMessages: number;
  readonly connections: number;
  /** Of these, those that are not read on because their rings are full. */
  readonly heldBack: number;
  /** The message that it is at, for how long, whose it is, null for one who has left, and its type if it has a handler. */
  readonly inHand: { readonly forMs: number; readonly peerId: string | null; readonly type: string | null } | null;
  /** Of the last hour. */
  readonly deaths: number;
  readonly lastDeath: string | null;
}
