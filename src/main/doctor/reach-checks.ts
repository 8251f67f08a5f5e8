/**
 * Whether others can reach this node, and whether the address that it gives out is right. Pure; main thread.
 */

import { count, humanSeconds } from '../amounts.js';
import type { Finding } from '../api.js';
import { isLoopbackHost } from '../config/loopback.js';
import type { DialledAddress, Facts, InboundFacts } from './facts.js';
import { well } from './finding.js';
import type { SelfDial } from './self-dial.js';

/** A network that knows us sends somebody within this time. */
const PATIENCE_MS = 3_600_000;
/** Proof that is older says little about now. */
const PROOF_MS = 24 * 3_600_000;
/** One voice alone may be wrong, or lie. */
const VOICES = 2;

/** Can others connect to this node? */
export function reachable(facts: Facts): Finding {
  const { settings, reach } = facts;
  const check = 'reachable';
  const evidence = reachEvidence(facts);
  if (settings.maxInbound === 0 && settings.unconditionalPeerIds.length === 0) {
    return well(check, 'This node takes no inbound peers, as maxInbound is 0.', evidence);
  }
  const { outside, external, listen } = reach;
  if (outside.now > 0) {
    return well(check, `Others reach this node: ${count(outside.now, 'inbound peer')} from outside now.`, evidence);
  }
  if (external !== null && leadsElsewhere(external)) {
    const summary = `Nobody reaches this node at ${external.address}: somebody else answers there.`;
    return { check, level: 'fail', summary, evidence, remedy: 'See the finding about the address.' };
  }
  if (listen.dial?.kind === 'failed') {
    const summary = `This node does not answer at ${listen.address}, not even from this machine.`;
    const remedy = 'Check for a local firewall, a shortage of file descriptors, and a busy main thread.';
    return { check, level: 'fail', summary, evidence, remedy };
  }
  if (isOnLoopbackAlone(facts)) {
    const summary = `Nobody outside can reach this node: it listens on ${listen.address} only.`;
    return { check, level: 'fail', summary, evidence, remedy: loopbackRemedy(facts) };
  }
  if (outside.lastMs !== null && facts.wallMs - outside.lastMs < PROOF_MS) {
    return well(check, `Others reached this node: the last from outside ${ago(facts, outside.lastMs)}.`, evidence);
  }
  if (!settings.strictAddresses && isLoopbackHost(reach.listenHost) && listen.dial?.kind === 'here') {
    return well(check, `This node is reached at ${listen.address}, on this machine.`, evidence);
  }
  return unproven(facts, evidence);
}

/** Nobody has come, and that may have many reasons. */
function unproven(facts: Facts, evidence: readonly string[]): Finding {
  const { reach, status, uptimeMs } = facts;
  const { external } = reach;
  const check = 'reachable';
  // The network knows of us: somebody should have come.
  const isLate = uptimeMs >= PATIENCE_MS && status.peers.outbound > 0;
  const level = isLate || external?.dial?.kind === 'failed' ? 'warn' : 'unknown';
  const since = `Nobody from outside has connected in ${humanSeconds(uptimeMs / 1000)}`;
  if (external?.dial?.kind === 'failed') {
    const summary = `${since}, and our own dial of ${external.address} failed: ${external.dial.reason}.`;
    return { check, level, summary, evidence: [...evidence, hairpin], remedy: openPort(facts) };
  }
  if (external?.dial?.kind === 'here') {
    const summary = `${since}. Our own dial of ${external.address} gets here, but it never left this network.`;
    return { check, level, summary, evidence: [...evidence, fromInside], remedy: openPort(facts) };
  }
  const why = reach.hasPublicIp ? '' : ': this machine has no public address, so it is behind a router';
  const summary = `${since}; whether they could can't be known from inside${why}.`;
  return { check, level, summary, evidence, remedy: reach.hasPublicIp ? openPort(facts) : forwardPort(facts) };
}

const hairpin =
  'behind a router that does not lead its own address back inside this dial fails, though others get through';
const fromInside = 'a dial from inside does not show whether a firewall lets others in';

function openPort({ reach }: Facts): string {
  const where = reach.external?.address ?? `PUBLIC-IP:${reach.listenPort}`;
  return (
    `From a machine elsewhere run 'paw-p2p crawl ${where}'. If that fails, let TCP port ${reach.listenPort} through ` +
    'firewall and router. Set maxInbound to 0 if nobody is meant to connect.'
  );
}

function forwardPort({ reach: { listenPort } }: Facts): string {
  return (
    `Have the router forward TCP port ${listenPort} to this machine and set externalAddress to ` +
    `PUBLIC-IP:${listenPort}, or set maxInbound to 0 if nobody is meant to connect.`
  );
}

/** Is the address right that this node gives out as its own? */
export function address(facts: Facts): Finding {
  const { reach, settings } = facts;
  const check = 'address';
  const { external } = reach;
  const evidence = addressEvidence(facts);
  const fail = (summary: string, remedy: string): Finding => ({ check, level: 'fail', summary, evidence, remedy });
  if (external !== null) {
    const { address: named, dial, fault } = external;
    const remedy = `Set externalAddress to the HOST:PORT where peers reach this node (${facts.nodeId}), or leave it out.`;
    if (fault === 'unknown-name') return fail(`externalAddress is ${named}, whose name does not resolve.`, remedy);
    if (fault === 'not-routable') {
      const summary = `externalAddress is ${named}, which the internet does not route: it is announced to nobody.`;
      return fail(summary, `${remedy} On a private network set nonStrictAddresses.`);
    }
    if (dial?.kind === 'twin') return twin(check, named, evidence, 'fail');
    if (leadsElsewhere(external)) return fail(`externalAddress ${named} leads to another node.`, remedy);
    if (external.toldIp !== null && external.ip !== null && external.toldIp !== external.ip) {
      const summary = `${named} leads to ${external.ip} now, but peers are still given ${external.toldIp}.`;
      const restart = 'Restart the node, so that it gives out the new address.';
      return { check, level: 'warn', summary, evidence, remedy: restart };
    }
  } else if (settings.strictAddresses && isLoopbackHost(reach.listenHost)) {
    return fail(
      `This node listens on ${reach.listen.address}, which only this machine reaches.`,
      loopbackRemedy(facts),
    );
  }
  return toldOtherwise(facts, evidence) ?? well(check, addressSummary(facts), evidence);
}

/** Several say that we are elsewhere, and what is there is not gone. */
function toldOtherwise({ reach }: Facts, evidence: readonly string[]): Finding | null {
  const check = 'address';
  for (const { address: told, voices, dial } of reach.told) {
    if (voices < VOICES) continue;
    if (dial?.kind === 'twin') return twin(check, told, evidence, 'warn');
    if (dial?.kind !== 'here' || reach.external?.dial?.kind === 'here') continue;
    const level = reach.external === null ? 'unknown' : 'warn';
    const ours = reach.external?.address ?? 'no external address';
    const summary = `${count(voices, 'netgroup')} reported this node at ${told}, and it is there; it gives out ${ours}.`;
    return { check, level, summary, evidence, remedy: `If ${told} is an address of yours, set externalAddress to it.` };
  }
  return null;
}

function twin(check: string, where: string, evidence: readonly string[], level: 'warn' | 'fail'): Finding {
  const summary = `At ${where} another node shows this node's ID.`;
  const remedy =
    'If a second node runs with a copy of this data directory or --node-id, give it a key of its own. ' +
    'IDs are not proven: somebody may also have borrowed it.';
  return { check, level, summary, evidence, remedy };
}

function addressSummary({ reach }: Facts): string {
  if (reach.external === null)
    return 'No external address is set; nothing contradicts the one that the node listens on.';
  const isReached = reach.external.dial?.kind === 'here';
  const what = `externalAddress ${reach.external.address}`;
  return isReached ? `${what} leads here.` : `Nothing contradicts ${what}.`;
}

/** Another node than this answers there. */
function leadsElsewhere({ dial }: DialledAddress): boolean {
  return dial?.kind === 'other' || dial?.kind === 'refused' || dial?.kind === 'twin';
}

function isOnLoopbackAlone({ settings, reach }: Facts): boolean {
  return settings.strictAddresses && reach.external === null && isLoopbackHost(reach.listenHost);
}

function loopbackRemedy({ reach: { listenPort } }: Facts): string {
  return `Set listen to [::]:${listenPort}; for a network on this machine set nonStrictAddresses.`;
}

function reachEvidence(facts: Facts): string[] {
  const { reach, settings } = facts;
  const { outside, inside, external, listen } = reach;
  const lines = [inboundLine(facts, 'from outside', outside)];
  if (settings.strictAddresses) lines.push(inboundLine(facts, 'from addresses of this machine or its network', inside));
  if (external !== null) lines.push(dialLine('externalAddress', external));
  lines.push(dialLine('the listening address', listen));
  return lines;
}

function addressEvidence({ reach }: Facts): string[] {
  const { external, listen } = reach;
  const lines = external === null ? ['externalAddress is not set'] : [dialLine('externalAddress', external)];
  lines.push(`it listens on ${listen.address}`);
  for (const told of reach.told)
    lines.push(dialLine(`given by ${count(told.voices, 'netgroup')} for this node's ID:`, told));
  return lines;
}

function inboundLine(facts: Facts, whence: string, { now, count: times, lastMs }: InboundFacts): string {
  const last = lastMs === null ? '' : `, the last ${ago(facts, lastMs)}`;
  return `inbound peers ${whence}: ${now} now, ${times} in this run${last}`;
}

function dialLine(what: string, { address: where, dial }: DialledAddress): string {
  return `${what} ${where}: ${dial === null ? 'not dialled' : outcomeOf(dial)}`;
}

function outcomeOf(dial: SelfDial): string {
  switch (dial.kind) {
    case 'here':
      return 'our own dial gets here';
    case 'other':
      return `node ${dial.id} answers there`;
    case 'twin':
      return "this node's ID answers there, but our dial did not come in here";
    case 'refused':
      return `another node answers there: ${dial.reason}`;
    case 'failed':
      return `our own dial failed: ${dial.reason}`;
  }
}

function ago({ wallMs }: Facts, thenMs: number): string {
  return `${humanSeconds(Math.max(0, wallMs - thenMs) / 1000)} ago`;
}
