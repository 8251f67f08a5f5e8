/**
 * Load: the peers of a busy chain, some that stay and many that come, talk and leave in every manner, under new IDs and
 * known ones, and strangers that are refused. Every message is numbered and checked by everybody who gets it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { optionsOf, serve } from '../channel.js';
import { Ledger } from '../soak/ledger.js';
import { type Faults, SoakPeer } from '../soak/peer.js';
import { Seeded } from '../soak/seeded.js';
import { NODE_ORIGIN } from '../soak/stamp.js';
import { strangerKinds, visitAsStranger } from '../soak/stranger.js';
import { sharedNowUs } from './latency.js';
import { Pacer } from './pacer.js';

export interface SoakOptions {
  readonly port: number;
  /** Peers that stay. */
  readonly residents: number;
  /** Messages that they send together, beside a block every two seconds. */
  readonly ratePerSecond: number;
  readonly visitsPerSecond: number;
  readonly strangersPerSecond: number;
  readonly seed: number;
}

/** What the load has counted. */
export interface SoakCounts extends Faults {
  readonly sent: number;
  readonly delivered: number;
  readonly lost: number;
  readonly doubled: number;
  readonly strange: number;
  readonly visits: number;
  readonly visitors: number;
  readonly strangers: number;
  readonly letIn: number;
}

const BLOCKS_PER_SECOND = 0.5;
const VOTE_SHARE = 0.25;
/** Each resident has one message sent back so often. */
const ECHOES_PER_SECOND = 1;
/** All at once, what was not sent in a minute would be more than any queue holds. */
const LATE_US = 1e6;
const LOOK_MS = 500;
/** IDs that come again: rested for many times as long as the node needs to see that the last connection ended. */
const KNOWN_IDS = 300;
const NEW_ID_SHARE = 0.25;
/** On a machine with too much to do they leave late: more and more of them would make it worse. */
const VISITORS_MAX = 30;
const TURNS = [1, 12] as const;
const TURN_MS = [20, 150] as const;
/** How visitors leave, and how often. */
const manners = { leave: 4, leaveAtOnce: 3, finish: 3, cut: 2, reset: 3 } as const;
const SETTLE_MS = 30_000;

const { port, residents: count, ratePerSecond, visitsPerSecond, strangersPerSecond, seed } = optionsOf<SoakOptions>();
const chance = new Seeded(seed);
const ledger = new Ledger(NODE_ORIGIN + 1);
const faults: Faults = { damaged: 0, dropped: 0, echoesLost: 0, echoesDoubled: 0 };
const knownIds = Array.from({ length: KNOWN_IDS }, (_, i) => `known-${i}`);
const guests = new Set<Promise<void>>();
let visits = 0;
let visitors = 0;
let strangers = 0;
let letIn = 0;

async function visit(): Promise<void> {
  const isKnown = chance.next() >= NEW_ID_SHARE && knownIds.length > 0;
  const id = isKnown ? knownIds.shift()! : `new-${visits}`;
  visits++;
  visitors++;
  const turns = chance.between(...TURNS);
  const manner = chance.pick(manners);
  const peer = new SoakPeer({ port, id, ledger, receiver: ledger.visitor(), faults });
  if (await peer.joined) {
    for (let turn = 0; turn < turns && peer.isOpen; turn++) {
      for (let left = chance.between(0, 3); left > 0; left--) peer.tell(chance.next() < VOTE_SHARE ? 'vote' : 'tx');
      peer.echo();
      await delay(chance.between(...TURN_MS));
    }
    if (peer.isOpen) {
      peer.tell('tx');
      await peer[manner]();
    }
  }
  visitors--;
  if (isKnown) knownIds.push(id);
}

async function strangerComes(): Promise<void> {
  strangers++;
  const taken = residents[chance.between(0, residents.length - 1)]!;
  if (await visitAsStranger(port, chance.pick(strangerKinds), taken.id)) letIn++;
}

function track(guest: Promise<void>): void {
  guests.add(guest);
  void guest.then(() => guests.delete(guest));
}

ledger.openOrigin(NODE_ORIGIN);
const residents = Array.from(
  { length: count },
  (_, i) => new SoakPeer({ port, id: `resident-${i}`, ledger, receiver: ledger.resident(), faults }),
);
if (!(await Promise.all(residents.map(({ joined }) => joined))).every(Boolean))
  throw new Error('a resident was refused');

let turn = 0;
const nextResident = () => residents[turn++ % residents.length]!;
const told = (type: 'tx' | 'vote' | 'block') => {
  const resident = nextResident();
  if (resident.isOpen) resident.tell(type);
};
/** Does something so often; what comes too late, after a time in which this process got no core, is left out. */
function paced(rate: number, act: () => void): Pacer {
  return new Pacer(rate, (intendedUs) => {
    if (sharedNowUs() - intendedUs < LATE_US) act();
  });
}

const pacers = [
  paced(ratePerSecond, () => told(chance.next() < VOTE_SHARE ? 'vote' : 'tx')),
  paced(BLOCKS_PER_SECOND, () => told('block')),
  paced(ECHOES_PER_SECOND * count, () => {
    const resident = nextResident();
    if (resident.isOpen) resident.echo();
  }),
  paced(visitsPerSecond, () => {
    if (visitors < VISITORS_MAX) track(visit());
  }),
  paced(strangersPerSecond, () => track(strangerComes())),
];
const looks = setInterval(() => ledger.look(), LOOK_MS);

function counts(): SoakCounts {
  return { ...ledger.tally, ...faults, visits, visitors, strangers, letIn };
}

serve(0, {
  counts,
  /** Nobody comes any more, and those who came leave. */
  emptyHouse: async () => {
    for (const pacer of pacers) pacer.stop();
    await Promise.all(guests);
  },
  /**
   * The residents leave, and what is still missing then is lost. Asked once the node has let go of all others: nothing of
   * theirs comes behind what it sends back to the residents now.
   * @param announced messages that the node has broadcast
   */
  finish: async (announced: number) => {
    ledger.close(NODE_ORIGIN, announced);
    const endMs = performance.now() + SETTLE_MS;
    // Their last messages come to the others while these still stay.
    await Promise.all(residents.filter(({ isOpen }) => isOpen).map((resident) => resident.conclude()));
    clearInterval(looks);
    while (ledger.incomplete > 0 && performance.now() < endMs) await delay(50);
    ledger.settleAll();
    await Promise.all(residents.filter(({ isOpen }) => isOpen).map((resident) => resident.leave()));
    return counts();
  },
});
