/**
 * Why there are so few peers: the network that is looked for, and what stands in the way to it. Pure; main thread.
 */
import { ErrorCode, errorCodeName } from '../../shared/errors.js';
import { DIAL_QUEUE_LENGTH } from '../../shared/limits.js';
import { count, humanSeconds } from '../amounts.js';
import type { Finding, FindingLevel } from '../api.js';
import type { CrawlFault } from '../discovery/seed-crawler.js';
import type { SeedOutcome } from '../discovery/seed-outcomes.js';
import type { Facts } from './facts.js';
import { lastHour, well } from './finding.js';

/** A node finds its first peers within this time, if it ever does. */
const START_MS = 30_000;
/** A small network may have no more; with fewer peers somebody else's word is all that a node has. */
const FEW_PEERS = 3;

const { ChainIDMismatch, IdentityMismatch, ProtocolVersionMismatch } = ErrorCode;

/** Do the nodes that we dial belong to our chain, and speak our version? */
export function chain(facts: Facts): Finding {
  const { settings, status, seeds, strangers } = facts;
  const check = 'chain';
  const chains = lastHour(facts, 'dial-failed', ChainIDMismatch);
  const versions = lastHour(facts, 'dial-failed', ProtocolVersionMismatch);
  const foreign = chains + versions;
  const kin = status.peers.total;
  const evidence = [
    `our chain ID is '${settings.chainId}'`,
    `dials within the last hour that met another chain: ${chains}, another protocol version: ${versions}`,
    `inbound peers of another chain refused within the last hour: ${lastHour(facts, 'rejected', ChainIDMismatch)}`,
    `connected peers of our chain: ${kin}; dials that succeeded since the start: ${status.dials.succeeded}`,
    ...strangers.map(({ address, detail }) => `${address}: ${detail}`),
  ];
  if (foreign > 0 && kin === 0 && status.dials.succeeded === 0) {
    const what = chains >= versions ? `of another chain than '${settings.chainId}'` : 'of another protocol version';
    const summary = `Every node that answered our dials within the last hour (${foreign}) is ${what}.`;
    const remedy =
      chains >= versions
        ? 'Set chainId to that of the network that you mean to join, or seeds to nodes of this chain; the evidence has what they answered.'
        : 'Run the version of paw-p2p that this network speaks.';
    return { check, level: 'fail', summary, evidence, remedy };
  }
  const misleading = seeds.filter(({ dialFault }) => dialFault?.code === ChainIDMismatch);
  if (misleading.length > 0) {
    const names = misleading.map(({ seed }) => seed).join(', ');
    const summary = `${count(misleading.length, 'seed')} of another chain: ${names}.`;
    return { check, level: 'warn', summary, evidence, remedy: `Take ${names} out of seeds.` };
  }
  const summary =
    foreign === 0 ? 'No dial met another chain.' : 'Peers of our chain are found; some nodes are of others.';
  return well(check, summary, evidence);
}

/** Does every seed answer? */
export function seeds({ seeds: all, status, wallMs }: Facts): Finding {
  const check = 'seeds';
  if (all.length === 0) return well(check, 'No seeds are configured.');
  const asked = all.filter(({ askedMs }) => askedMs !== null);
  const evidence = all.map((seed) => seedLine(seed, wallMs));
  if (asked.length === 0) return well(check, 'No seed had to be asked in this run.', evidence);
  const failing = asked.filter(({ fault }) => fault !== null);
  const useless = asked.filter(({ fault, peers, dialFault }) => fault === null && peers === 0 && dialFault !== null);
  const isHelpless = failing.length + useless.length === all.length && status.peers.total === 0;
  const level: FindingLevel = isHelpless ? 'fail' : 'warn';
  if (failing.length > 0) {
    const which = failing.length === all.length ? 'No seed answers' : `${failing.length} of ${all.length} seeds fail`;
    return { check, level, summary: `${which}.`, evidence, remedy: faultRemedy(failing) };
  }
  if (useless.length > 0) {
    const summary = `${useless.length} of ${count(all.length, 'seed')} named no peers and can't be dialled as a peer either.`;
    return { check, level, summary, evidence, remedy: 'Name other seeds, or wait until these know of somebody.' };
  }
  const told = asked.reduce((sum, { peers }) => sum + peers, 0);
  if (told === 0 && status.peers.total === 0) {
    const summary = 'The seeds answer, but none knows of anybody.';
    return { check, level: 'warn', summary, evidence, remedy: 'Name other seeds, or wait until others have joined.' };
  }
  return well(check, `All seeds that were asked answered: ${asked.length} of ${all.length}.`, evidence);
}

function seedLine({ seed, askedMs, detail, peers, dialFault }: SeedOutcome, wallMs: number): string {
  if (askedMs === null) return `${seed}: not asked in this run`;
  const when = `asked ${humanSeconds(Math.max(0, wallMs - askedMs) / 1000)} ago`;
  const said = detail === null ? `named ${peers === 0 ? 'no peers' : count(peers, 'peer')}` : `failed: ${detail}`;
  // Who can't be asked can't be dialled, either, for the same reason.
  const isNews = dialFault !== null && (detail === null || dialFault.code !== ErrorCode.NetworkError);
  const dialled = !isNews ? '' : `; dialled as a peer: ${dialFault.reason} (${errorCodeName(dialFault.code)})`;
  return `${seed}: ${when}, ${said}${dialled}`;
}

const faultRemedies: Readonly<Record<CrawlFault, string>> = {
  name: 'Check how its name is spelled, and that this machine resolves names',
  refused: 'Nothing listens at that port: check the address, or ask whoever runs the seed',
  unreachable: "This machine can't get there: check its network and route",
  silent: 'Nothing answers in time: a firewall on the way, or a seed that is down',
  closed:
    'It closes at once, as seeds do that are asked too often, or that have banned this address: wait, or name others',
  answer: 'What answers there is not a PAW seed: check the port',
  'given-up': 'The node did not wait for its answer: wait for the next round',
};

/** For each fault what to do, with the seeds that have it. */
function faultRemedy(failing: readonly SeedOutcome[]): string {
  const faults = [...new Set(failing.map(({ fault }) => fault!))];
  return faults
    .map((fault) => {
      const names = failing.filter((seed) => seed.fault === fault).map(({ seed }) => seed);
      return `${faultRemedies[fault]} (${names.join(', ')}).`;
    })
    .join(' ');
}

/** Are the peers there that the operator named? */
export function persistent({ persistent: all }: Facts): Finding {
  const check = 'persistent';
  if (all.length === 0) return well(check, 'No persistent peers are configured.');
  const evidence = all.map(({ address, isConnected, attempts, fault }) => {
    if (isConnected) return `${address}: connected`;
    const why =
      fault === null
        ? ''
        : `: ${fault.reason} (${typeof fault.code === 'number' ? errorCodeName(fault.code) : fault.code})`;
    return `${address}: away, ${count(attempts, 'dial')} in a row failed${why}`;
  });
  const away = all.filter(({ isConnected }) => !isConnected);
  const wrong = away.filter(({ fault }) => fault?.code === IdentityMismatch || fault?.code === ChainIDMismatch);
  if (wrong.length > 0) {
    const names = wrong.map(({ address }) => address).join(', ');
    const isId = wrong.some(({ fault }) => fault?.code === IdentityMismatch);
    const summary = `${isId ? 'Another node ID' : 'A node of another chain'} answers at ${names}.`;
    const remedy = `Correct ${wrong.length === 1 ? 'this entry' : 'these entries'} of persistentPeers: the evidence has what was found.`;
    return { check, level: 'fail', summary, evidence, remedy };
  }
  const missing = away.filter(({ fault }) => fault !== null);
  if (missing.length > 0) {
    const summary = `${missing.length} of ${count(all.length, 'persistent peer')} can't be reached.`;
    const remedy =
      'Make sure that they run and listen there; they are dialled again forever, at least every 10 minutes.';
    return { check, level: 'warn', summary, evidence, remedy };
  }
  return well(check, `${all.length - away.length} of ${count(all.length, 'persistent peer')} connected.`, evidence);
}

/** Why are there so few peers? */
export function peers(facts: Facts): Finding {
  const { status, settings, uptimeMs } = facts;
  const check = 'peers';
  const { total, inbound, outbound } = status.peers;
  const evidence = peersEvidence(facts);
  const have = `${count(total, 'peer')} (${inbound} inbound, ${outbound} outbound)`;
  if (outbound >= settings.minOutbound && total > 0) return well(check, `${have}.`, evidence);
  const { sample } = facts.book;
  const knowsNobodyElse = sample.connected + sample.unwanted >= sample.size;
  if (total >= (settings.strictAddresses ? FEW_PEERS : 1) && knowsNobodyElse) {
    return well(check, `${have}: everybody that it knows of.`, evidence);
  }
  if (uptimeMs < START_MS) {
    const summary = `${have} so far; the node started ${humanSeconds(uptimeMs / 1000)} ago.`;
    return { check, level: 'unknown', summary, evidence, remedy: 'Ask again in half a minute.' };
  }
  const { why, remedy } = reasonOf(facts);
  const want = settings.minOutbound > outbound ? `, ${settings.minOutbound} outbound are wanted` : '';
  return { check, level: total === 0 ? 'fail' : 'warn', summary: `${have}${want}: ${why}.`, evidence, remedy };
}

/** The first reason that holds: each would keep those below from mattering. */
function reasonOf({ settings, status, seeds: all, persistent: named, book }: Facts): { why: string; remedy: string } {
  const { sample } = book;
  const dialable = sample.size - sample.unwanted;
  if (settings.maxOutbound === 0 || (settings.minOutbound === 0 && named.length === 0)) {
    const why = `it dials nobody, as ${settings.maxOutbound === 0 ? 'maxOutbound' : 'minOutbound'} is 0, and nobody has connected`;
    return { why, remedy: 'Set minOutbound and maxOutbound to 10 or more, or name persistentPeers.' };
  }
  if (book.known === 0 && all.length === 0 && named.length === 0) {
    return { why: 'it knows nobody and has nobody to ask', remedy: 'Name seeds or persistentPeers.' };
  }
  if (status.dials.queued >= DIAL_QUEUE_LENGTH) {
    const why = `the dial queue is full (${status.dials.dropped} dials dropped)`;
    return { why, remedy: 'Fewer dead persistentPeers and manual dials, or a shorter dialTimeout.' };
  }
  if (book.known === 0) {
    const why =
      all.length === 0 ? 'the persistent peers have named nobody' : 'its seeds have named nobody that can be dialled';
    return { why, remedy: 'See the findings about seeds, chain and persistent peers.' };
  }
  if (dialable === 0) {
    const why = `everybody it knows (${book.known}) is banned or of low reputation`;
    return { why, remedy: "Look at 'paw-p2p bans' and lift those that are wrong with 'paw-p2p unban'." };
  }
  if (sample.connected + sample.unwanted >= sample.size) {
    return { why: 'it knows nobody else', remedy: 'Name more seeds, or wait until others have joined.' };
  }
  if (sample.failing + sample.connected >= dialable) {
    const why = `its dials to everybody else that it knows fail (${sample.failing})`;
    return {
      why,
      remedy: "Check that this machine can get out: 'paw-p2p history' says why each dial failed. More seeds help.",
    };
  }
  if (sample.netGroups <= status.peers.outbound || sample.netGroups < settings.minOutbound) {
    const why = `the ${book.known} addresses it knows lie in ${count(sample.netGroups, 'netgroup')}, and it dials one of each`;
    return { why, remedy: 'Name seeds elsewhere, or persistentPeers, which this does not limit.' };
  }
  return { why: 'it is still dialling', remedy: 'Ask again in a minute.' };
}

function peersEvidence(facts: Facts): string[] {
  const { status, settings, book, uptimeMs } = facts;
  const { sample } = book;
  const { dials } = status;
  const of = sample.size < book.known ? ` of ${sample.size} that were looked at` : '';
  const failed = status.lastHour
    .filter(({ kind }) => kind === 'dial-failed')
    .map(({ name, count: n }) => `${name} ${n}`);
  return [
    `up ${humanSeconds(uptimeMs / 1000)}; wanted: ${settings.minOutbound} outbound, at most ${settings.maxOutbound} outbound, ${settings.maxInbound} inbound, ${settings.maxPeers} in all`,
    `known addresses: ${book.known}, ${status.discovery.tried} reached before${of}: ${sample.failing} failing, ${sample.unwanted} banned or of low reputation, in ${count(sample.netGroups, 'netgroup')}`,
    `dials since the start: ${dials.succeeded} succeeded, ${dials.failed} failed, ${dials.queued} waiting, ${dials.dropped} dropped`,
    `dials that failed within the last hour: ${failed.length === 0 ? 'none' : failed.join(', ')}`,
    `seeds: ${settings.seeds.length}, persistent peers: ${settings.persistentPeers.length}, bans: ${status.discovery.bans}, pex ${settings.pex ? 'on' : 'off'}`,
  ];
}
