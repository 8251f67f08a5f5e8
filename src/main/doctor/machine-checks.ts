/**
 * Whether the machine gives the node what it needs: clock, memory, files, disk. Pure; main thread.
 */
import { DIALS_IN_FLIGHT } from '../../shared/limits.js';
import { count, humanBytes, humanSeconds } from '../amounts.js';
import type { Finding } from '../api.js';
import type { Facts } from './facts.js';
import { medianOf, well } from './finding.js';

const CLOCK_MS = 60_000;
/** Fewer netgroups could agree on a wrong time. */
const CLOCK_VOICES = 3;
const MEMORY_WARN = 0.8;
const MEMORY_FAIL = 0.95;
/** What a process takes beside the budget: V8's heaps, code, the store's pages. */
const RSS_BESIDE_BYTES = 512 * 2 ** 20;
/** Handshakes under way and refused sockets that linger, 256 each, and connections of the admin HTTP. */
const CROWDS = 256 + 256;
const ADMIN_CONNECTIONS = 64;
const FILES_FULL = 0.9;
/** The store grows by copies: with less it can't commit. */
const DISK_BYTES = 64 * 2 ** 20;

/** Is the clock of this machine right? */
export function clock({ clock: told }: Facts): Finding {
  const check = 'clock';
  const { aheadMs, areChosen, lastRunAheadMs, setByMs } = told;
  const median = aheadMs.length === 0 ? 0 : medianOf(aheadMs);
  const whose = areChosen ? 'that we dialled' : 'that dialled us or that we dialled';
  const evidence = [
    `clocks of ${count(aheadMs.length, 'netgroup')} ${whose}: ${aheadMs.length === 0 ? 'none known' : `at the median ${offset(median)} ours`}`,
  ];
  if (lastRunAheadMs > 0)
    evidence.push(`this run began ${humanSeconds(lastRunAheadMs / 1000)} before the last one ended, by this clock`);
  if (Math.abs(setByMs) > CLOCK_MS)
    evidence.push(
      `the clock was set ${setByMs > 0 ? 'forward' : 'back'} by ${humanSeconds(Math.abs(setByMs) / 1000)} while the node ran`,
    );
  const remedy =
    "Set the clock by NTP ('timedatectl' or 'chronyc tracking' show its state); the node itself never corrects it.";
  const warn = (summary: string): Finding => ({ check, level: 'warn', summary, evidence, remedy });
  if (aheadMs.length >= CLOCK_VOICES && Math.abs(median) > CLOCK_MS) {
    const way = median > 0 ? 'slow' : 'fast';
    return warn(
      `The clock of this machine is ${humanSeconds(Math.abs(median) / 1000)} ${way}, according to ${aheadMs.length} netgroups.`,
    );
  }
  if (lastRunAheadMs > CLOCK_MS) {
    return warn(
      `By this clock the last run ended in the future, by ${humanSeconds(lastRunAheadMs / 1000)}: it was wrong then or is now.`,
    );
  }
  if (aheadMs.length >= CLOCK_VOICES) return well(check, 'The clock agrees with those of others.', evidence);
  const summary = `Whether the clock is right can't be known: ${aheadMs.length} of the ${CLOCK_VOICES} netgroups needed have reported theirs.`;
  return { check, level: 'unknown', summary, evidence, remedy: null };
}

function offset(aheadMs: number): string {
  return `${humanSeconds(Math.abs(aheadMs) / 1000)} ${aheadMs < 0 ? 'behind' : 'ahead of'}`;
}

/** Is memory short? */
export function memory({ status, fixedBytes, settings, peers }: Facts): Finding {
  const check = 'memory';
  const { rss, budget, used } = status.memory;
  const moving = Math.max(1, budget - fixedBytes);
  const share = Math.max(0, used - fixedBytes) / moving;
  const queued = peers.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
  const evidence = [
    `memoryBudget ${humanBytes(budget)}: ${humanBytes(used)} used, ${humanBytes(fixedBytes)} of it laid out at the start for ${settings.maxPeers} peers`,
    `of the ${humanBytes(moving)} that frames, send queues and handler queues share, ${percent(share)} is used`,
    `${humanBytes(queued)} wait to be sent to peers`,
    `resident memory of the process: ${humanBytes(rss)}`,
  ];
  if (share >= MEMORY_WARN) {
    const summary = `${percent(share)} of the memory for frames and queues is used; when it is full, messages are dropped.`;
    const remedy =
      'Raise memoryBudget, or lower sendQueue or maxPeers; peers that read slowly usually hold most of it.';
    return { check, level: share >= MEMORY_FAIL ? 'fail' : 'warn', summary, evidence, remedy };
  }
  if (rss > budget + RSS_BESIDE_BYTES) {
    const summary = `The process holds ${humanBytes(rss)}, far more than memoryBudget (${humanBytes(budget)}).`;
    const remedy =
      'The rest is JavaScript heap: look for what handlers and subscribers keep (node --heapsnapshot-signal=SIGUSR2).';
    return { check, level: 'warn', summary, evidence, remedy };
  }
  return well(check, `Memory is not short: ${percent(share)} of what frames and queues share is used.`, evidence);
}

/** Are there file descriptors enough? */
export function files({ files: told, settings, status }: Facts): Finding {
  const check = 'files';
  const remedy = "Raise the limit before the node starts: 'ulimit -n 65536', or LimitNOFILE=65536 in its systemd unit.";
  if (told === null) {
    return {
      check,
      level: 'unknown',
      summary: 'This system does not report how many file descriptors there are.',
      evidence: [],
      remedy: null,
    };
  }
  const { limit, open } = told;
  if (limit === null || open === null) {
    const evidence = ['reading /proc/self failed with EMFILE'];
    return { check, level: 'fail', summary: 'File descriptors have run out: nobody can connect.', evidence, remedy };
  }
  const { maxPeers, persistentPeers, unconditionalPeerIds } = settings;
  const places = maxPeers + persistentPeers.length + unconditionalPeerIds.length;
  const connected = status.peers.total + status.connections.handshaking;
  const own = Math.max(0, open - connected);
  const needed = own + places + CROWDS + DIALS_IN_FLIGHT + ADMIN_CONNECTIONS;
  const evidence = [
    `open now: ${open} of ${limit}`,
    `needed at most: ${needed} (${places} peers, ${CROWDS} handshakes and refusals, ${DIALS_IN_FLIGHT} dials, ${ADMIN_CONNECTIONS} admin, ${own} open for other things)`,
  ];
  if (open >= FILES_FULL * limit) {
    const summary = `${open} of ${limit} file descriptors are open: connections are about to be lost unseen.`;
    return { check, level: 'fail', summary, evidence, remedy };
  }
  const { refusedNoFiles } = status.connections;
  if (refusedNoFiles > 0) {
    const summary = `${count(refusedNoFiles, 'connection')} had to be closed unread, since few of the ${limit} file descriptors were left.`;
    return { check, level: 'warn', summary, evidence, remedy };
  }
  if (needed > limit) {
    const summary = `The limit of ${limit} file descriptors is too low for maxPeers ${maxPeers}: up to ${needed} are needed.`;
    return { check, level: 'warn', summary, evidence, remedy: `${remedy} Or lower maxPeers.` };
  }
  return well(
    check,
    `There are enough file descriptors: ${open} of ${limit} open, ${needed} needed at most.`,
    evidence,
  );
}

/** Can the node write down what it has to remember? */
export function disk({ disk: { fault, freeBytes }, settings }: Facts): Finding {
  const check = 'disk';
  const evidence = [
    `data directory ${settings.dataDir}: ${freeBytes === null ? 'free space not known' : `${humanBytes(freeBytes)} free`}`,
  ];
  if (fault !== null) {
    const remedy = `Make room on the disk of ${settings.dataDir} and make sure that it can be written to; what is waiting is then written on its own.`;
    const summary = `The store can't be written: ${fault}. Bans and addresses would be lost with this process.`;
    return { check, level: 'fail', summary, evidence, remedy };
  }
  if (freeBytes !== null && freeBytes < DISK_BYTES) {
    const summary = `The disk of the data directory is nearly full: ${humanBytes(freeBytes)} free.`;
    return { check, level: 'warn', summary, evidence, remedy: `Make room on the disk of ${settings.dataDir}.` };
  }
  return well(check, 'The store is written.', evidence);
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
