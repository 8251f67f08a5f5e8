/**
 * Whether limits, workers, peers or this node's own main thread hold it up. Pure; main thread.
 */
import { ErrorCode } from '../../shared/errors.js';
import { count, humanBytes } from '../amounts.js';
import type { Finding } from '../api.js';
import { presets } from '../config/presets.js';
import type { Facts, HandlerFacts, PeerFacts, WorkerFacts } from './facts.js';
import { lastHour, medianOf, well } from './finding.js';

const LAG_MS = 100;
/** One worker's lag that so exceeds the median is its own. */
const LAG_FACTOR = 4;
const STUCK_MS = 1000;
const QUEUE_SHARE = 0.8;
/** Refusals for one subnet's sake that say more than that the limit does its work. */
const SUBNET_REFUSALS = 10;
const RTT_MS = 1000;
/** A round trip so much longer than the median is slow even below a second, from the second figure on. */
const RTT_FACTOR = 5;
const RTT_NOTABLE_MS = 300;
/** So large a share of slow peers is no longer theirs alone. */
const SLOW_SHARE = 0.25;
const SEND_QUEUE_SHARE = 0.5;
const WRITE_TIMEOUTS = 3;
const LOOP_MS = 200;
const LOOP_STUCK_MS = 2000;
const LATE_SECONDS = 3;
/** Peers that are named in evidence at most. */
const NAMED = 5;
/** Types of messages that are named in evidence at most. */
const TYPES_NAMED = 3;

/** Do limits keep out who should come in? */
export function limits(facts: Facts): Finding {
  const { settings, status, refusedBy } = facts;
  const check = 'limits';
  const { total, inbound, outbound } = status.peers;
  const refused = lastHour(facts, 'rejected', ErrorCode.PeerLimitReached);
  const rated = lastHour(facts, 'penalised', ErrorCode.RateLimited);
  const evidence = [
    `peers: ${inbound} of ${settings.maxInbound} inbound, ${outbound} of ${settings.maxOutbound} outbound, ${total} of ${settings.maxPeers} in all; at most ${settings.maxPerSubnet} of a subnet`,
    `inbound peers refused within the last hour: ${refused}; of those in history ${refusedBy.maxInbound} by maxInbound, ${refusedBy.maxPeers} by maxPeers, ${refusedBy.maxPerSubnet} by maxPerSubnet`,
    `inbound peers that gave way to newcomers since the start: ${status.discovery.evictions}`,
    `peers penalised for sending far above their rate within the last hour: ${rated}`,
  ];
  const warn = (summary: string, remedy: string): Finding => ({ check, level: 'warn', summary, evidence, remedy });
  const isFull = settings.maxInbound > 0 && (inbound >= settings.maxInbound || total >= settings.maxPeers);
  if (isFull && refusedBy.maxInbound + refusedBy.maxPeers > 0) {
    const which = inbound >= settings.maxInbound ? 'maxInbound' : 'maxPeers';
    const summary = `All places for inbound peers are taken; ${refused} were refused within the last hour.`;
    return warn(summary, `Raise ${which} (${settings[which]}); memoryBudget has to grow with maxPeers.`);
  }
  if (refusedBy.maxPerSubnet >= SUBNET_REFUSALS) {
    const summary = `maxPerSubnet refused ${refusedBy.maxPerSubnet} inbound peers within the last hour.`;
    const remedy =
      'If these are your own nodes, or come through one proxy, raise maxPerSubnet or name them in unconditionalPeerIds. ' +
      'If they are strangers, there is nothing to do.';
    return warn(summary, remedy);
  }
  if (rated > 0) {
    const summary = `Peers sent far above their allowed rate ${count(rated, 'time')} within the last hour.`;
    return warn(summary, 'If their traffic is wanted, raise receiveRate or receiveMessages.');
  }
  if (settings.preset === 'high-traffic' && settings.maxPeers <= presets.default.maxPeers) {
    const summary = `The preset is high-traffic, but maxPeers is ${settings.maxPeers}.`;
    return warn(
      summary,
      `Leave maxPeers, maxInbound and maxOutbound to the preset (${presets['high-traffic'].maxPeers}).`,
    );
  }
  return well(check, 'No limit keeps anybody out.', evidence);
}

/** Is a worker the bottleneck? */
export function workers(facts: Facts): Finding {
  const { workers: all, handlers, shortestQueue, cores, status } = facts;
  const check = 'workers';
  const evidence = all.map(workerLine);
  if (handlers.length > 0) evidence.push(`slowest handlers since the start: ${slowest(handlers)}`);
  evidence.push(`handler errors since the start: ${status.messages.handlerErrors}; cores: ${cores}`);
  const verdict = (level: 'warn' | 'fail', summary: string, remedy: string): Finding => {
    return { check, level, summary, evidence, remedy };
  };
  const down = all.findIndex(({ isLive }) => !isLive);
  if (down !== -1) {
    const why = all[down]!.lastDeath ?? 'it does not come up';
    return verdict(
      'fail',
      `Worker ${down} is down: ${why}.`,
      'The log says why; most often a handler throws where nothing catches it.',
    );
  }
  const stuck = all.findIndex(({ inHand }) => inHand !== null && inHand.forMs >= STUCK_MS);
  if (stuck !== -1) {
    const { forMs, peerId, type } = all[stuck]!.inHand!;
    const what = type === null ? 'what' : `a message of type '${type}' that`;
    const summary = `Worker ${stuck} has been busy for ${seconds(forMs)} with ${what} peer ${peerId ?? '(gone)'} sent.`;
    return verdict(
      'fail',
      summary,
      `${SLOW_HANDLERS} Messages from ${count(all[stuck]!.connections, 'peer')} of this worker wait meanwhile.`,
    );
  }
  const deaths = all.findIndex((worker) => worker.deaths > 0);
  if (deaths !== -1) {
    const summary = `Worker ${deaths} died ${count(all[deaths]!.deaths, 'time')} within the last hour: ${all[deaths]!.lastDeath}.`;
    return verdict(
      'warn',
      summary,
      'Find the handler that brings it down; the message it was handling was handled again, or skipped after the second time.',
    );
  }
  const queue = fullQueue(all, shortestQueue);
  if (queue !== null) {
    const summary = `${all[queue]!.queuedMessages} messages wait in the handler queues of worker ${queue}, which hold ${shortestQueue} of a type.`;
    return verdict('warn', summary, `${SLOW_HANDLERS} Or give the type more concurrency.`);
  }
  return lagging(facts, evidence) ?? well(check, `All workers keep up (${all.length}).`, evidence);
}

function slowest(handlers: readonly HandlerFacts[]): string {
  const shown = handlers.slice(0, TYPES_NAMED);
  return shown.map(({ type, messages, meanMs }) => `${type} ${milliseconds(meanMs)} (${messages})`).join(', ');
}

function milliseconds(ms: number): string {
  return `${ms < 1 ? ms.toFixed(3) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

const SLOW_HANDLERS = 'Make its handlers faster: long work belongs in async handlers or elsewhere.';

function lagging({ workers: all, cores }: Facts, evidence: readonly string[]): Finding | null {
  const check = 'workers';
  const lags = all.map(({ lagMs }) => lagMs);
  const worst = Math.max(...lags);
  if (worst <= LAG_MS) return null;
  const which = lags.indexOf(worst);
  const others = lags.filter((_, i) => i !== which);
  const isAlone = others.length > 0 && worst > LAG_FACTOR * medianOf(others);
  if (isAlone) {
    const summary = `Worker ${which} is ${Math.round(worst)} ms behind, far more than the others.`;
    const remedy = `A few busy peers are pinned to it. ${SLOW_HANDLERS}`;
    return { check, level: 'warn', summary, evidence, remedy };
  }
  const summary = `${all.length === 1 ? 'The only worker is' : 'All workers are'} ${Math.round(worst)} ms behind.`;
  const isRoom = all.length < cores - 1;
  const remedy = isRoom
    ? `Raise workers (${all.length}): there are ${cores} cores. ${SLOW_HANDLERS}`
    : `${SLOW_HANDLERS} There are no more cores for workers (${cores}).`;
  return { check, level: 'warn', summary, evidence, remedy };
}

function fullQueue(all: readonly WorkerFacts[], shortest: number | null): number | null {
  if (shortest === null) return null;
  const index = all.findIndex(({ queuedMessages }) => queuedMessages >= QUEUE_SHARE * shortest);
  return index === -1 ? null : index;
}

function workerLine(worker: WorkerFacts, index: number): string {
  const { isLive, lagMs, queuedMessages, connections, heldBack, inHand, deaths } = worker;
  const parts = [
    ...(isLive ? [] : ['down']),
    `${count(connections, 'connection')}, ${heldBack} held back by full rings`,
    `${Math.round(lagMs)} ms behind`,
    ...(inHand === null || inHand.forMs < LAG_MS ? [] : [`in the same turn for ${seconds(inHand.forMs)}`]),
    `${queuedMessages} messages queued`,
    `died ${count(deaths, 'time')} within the last hour`,
  ];
  return `worker ${index}: ${parts.join(', ')}`;
}

/** Who is slow? */
export function slowPeers(facts: Facts): Finding {
  const { peers, settings } = facts;
  const check = 'slow-peers';
  const rtts = peers.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]));
  const median = rtts.length === 0 ? 0 : medianOf(rtts);
  const isFar = ({ rttMs }: PeerFacts) =>
    rttMs !== null && (rttMs > RTT_MS || (rtts.length > 2 && rttMs > RTT_NOTABLE_MS && rttMs > RTT_FACTOR * median));
  const isClogged = ({ queuedBytes }: PeerFacts) => queuedBytes > SEND_QUEUE_SHARE * settings.sendQueueBytes;
  const clogged = peers.filter(isClogged);
  const far = peers.filter(isFar);
  const timeouts = lastHour(facts, 'disconnected', ErrorCode.WriteTimeout);
  const slow = peers.filter((peer) => isClogged(peer) || isFar(peer));
  const evidence = [
    `median round trip ${Math.round(median)} ms over ${count(rtts.length, 'peer')}`,
    `peers cut off within the last hour because they did not read (WriteTimeout): ${timeouts}`,
    ...slow.slice(0, NAMED).map((peer) => peerLine(peer, settings.sendQueueBytes)),
    ...(slow.length > NAMED ? [`and ${slow.length - NAMED} more`] : []),
  ];
  const warn = (summary: string, remedy: string): Finding => ({ check, level: 'warn', summary, evidence, remedy });
  if (slow.length > 1 && slow.length > peers.length / 2) {
    return warn(
      `Most peers are slow (${slow.length} of ${peers.length}).`,
      'Check the line of this machine: it may be full.',
    );
  }
  if (clogged.length > 0) {
    const summary = `Peers that read more slowly than we send: ${names(clogged)}.`;
    return warn(
      summary,
      `They lose broadcasts, and are cut off if they read nothing for writeTimeout. 'paw-p2p disconnect ID' ends it sooner.`,
    );
  }
  if (timeouts >= WRITE_TIMEOUTS) {
    const remedy =
      "'paw-p2p history --code WriteTimeout' names them. If they are honest, send less or raise writeTimeout.";
    return warn(`${count(timeouts, 'peer')} were cut off within the last hour because they did not read.`, remedy);
  }
  if (far.some(({ persistent }) => persistent) || far.length > SLOW_SHARE * peers.length) {
    return warn(`Far away or busy: ${names(far)}.`, 'Check them, and the line to them.');
  }
  return well(check, far.length === 0 ? 'No peer is slow.' : `Only a few peers are slow: ${names(far)}.`, evidence);
}

function peerLine({ id, address, rttMs, queuedBytes }: PeerFacts, sendQueueBytes: number): string {
  const rtt = rttMs === null ? 'no round trip yet' : `round trip ${Math.round(rttMs)} ms`;
  return `${id} at ${address}: ${rtt}, ${humanBytes(queuedBytes)} of ${humanBytes(sendQueueBytes)} wait for it`;
}

function names(peers: readonly PeerFacts[]): string {
  const shown = peers.slice(0, NAMED).map(({ id }) => id);
  return peers.length > NAMED ? `${shown.join(', ')} and ${peers.length - NAMED} more` : shown.join(', ');
}

/** Does the main thread keep up? A single late second of a while ago, as at the start, says nothing. */
export function mainThread({ status, loopLagMs }: Facts): Finding {
  const check = 'main-thread';
  const nowMs = status.eventLoopLagMs;
  const worstMs = Math.max(nowMs, ...loopLagMs);
  const late = loopLagMs.filter((lagMs) => lagMs > LOOP_MS).length;
  const evidence = [
    `the event loop was ${Math.round(nowMs)} ms late within the last second, ${Math.round(worstMs)} ms at worst within the last minute`,
    `seconds of the last minute in which it was more than ${LOOP_MS} ms late: ${late}`,
  ];
  if (nowMs <= LOOP_MS && late < LATE_SECONDS) {
    return well(check, `The main thread keeps up (${Math.round(nowMs)} ms late).`, evidence);
  }
  const summary = `The main thread is late, by ${Math.round(worstMs)} ms at worst: sockets and pings wait for it.`;
  const remedy =
    'Take long work out of subscribers and event listeners on this thread, and see whether other programs take the cores; ' +
    'a CPU profile (node --cpu-prof) shows which code it is.';
  return { check, level: late >= LATE_SECONDS && worstMs > LOOP_STUCK_MS ? 'fail' : 'warn', summary, evidence, remedy };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
