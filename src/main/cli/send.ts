/**
 * Owns the command `send`: messages to a node, and the proof that they were read. Main thread.
 */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { ConfigError, ErrorCode, PeerError } from '../../shared/errors.js';
import { payloadBytesMax } from '../../shared/wire/frame.js';
import { count, humanBytes } from '../amounts.js';
import { hexBytes, integer, messageTypeText } from '../config/kinds.js';
import type { PeerClient } from '../net/peer-client.js';
import { parseFlag } from './config-flags.js';
import { addDialFlags, type DialFlags, planDial } from './dial-flags.js';

const COUNT_MAX = 1_000_000_000;

interface SendFlags extends DialFlags {
  readonly type: string;
  readonly data?: string;
  readonly hex?: string;
  readonly file?: string;
  readonly count: string;
  readonly json?: true;
}

/** What `send` prints, and `--json` as it is. */
interface SendResult {
  readonly type: string;
  readonly count: number;
  /** Bytes of all payloads. */
  readonly bytes: number;
  /** From the first message to the pong that proves that the last was read. */
  readonly timeMs: number;
  readonly messagesPerSecond: number;
  readonly pongMs: number;
}

function payloadOf(flags: SendFlags): Buffer {
  if (flags.hex !== undefined) return parseFlag('hex', hexBytes(), flags.hex);
  if (flags.file === undefined) return Buffer.from(flags.data ?? '', 'utf8');
  try {
    return readFileSync(flags.file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError('file', `file is '${flags.file}' (--file): must be a file that can be read (${code})`);
  }
}

function checkFits(type: string, payload: Buffer): void {
  const most = payloadBytesMax(type);
  if (payload.length <= most) return;
  throw new ConfigError('payload', `payload is ${payload.length} bytes: must be at most ${most} with this type`);
}

/** Fails once nothing has moved for `timeoutMs`. One timer for all messages, since there may be millions. */
function watchProgress(timeoutMs: number): { moved(): void; stop(): void; readonly stalled: Promise<never> } {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    const onStall = (): void => reject(new PeerError(ErrorCode.WriteTimeout, 'the peer stopped reading'));
    timer = setTimeout(onStall, timeoutMs);
  });
  return { moved: () => timer?.refresh(), stop: () => clearTimeout(timer), stalled };
}

async function sendAll(client: PeerClient, type: string, payload: Buffer, times: number, moved: () => void) {
  const startMs = performance.now();
  for (let sent = 0; sent < times; sent++) {
    await client.send(type, payload);
    moved();
  }
  const pongMs = await client.ping();
  return { timeMs: performance.now() - startMs, pongMs };
}

/** What the peer sends meanwhile is read and forgotten, so that it does not stop in front of a full buffer. */
async function forgetFrames(client: PeerClient): Promise<void> {
  for await (const _frame of client);
}

function resultText({ count: sent, bytes, timeMs, messagesPerSecond, pongMs, type }: SendResult): string {
  const rate = `${Math.round(messagesPerSecond)} messages/s`;
  return `sent ${count(sent, 'message')} of type ${type}, ${humanBytes(bytes)}, in ${timeMs.toFixed(1)} ms (${rate}); pong after ${pongMs.toFixed(1)} ms\n`;
}

async function send(address: string, flags: SendFlags): Promise<void> {
  const plan = planDial('send', address, flags);
  const type = parseFlag('type', messageTypeText(), flags.type);
  const times = parseFlag('count', integer(1, COUNT_MAX), flags.count);
  const payload = payloadOf(flags);
  checkFits(type, payload);
  const client = await plan.connect();
  const progress = watchProgress(plan.timeoutMs);
  // The same failure reaches `sendAll`, which reports it.
  forgetFrames(client).catch(() => undefined);
  try {
    const sending = sendAll(client, type, payload, times, progress.moved);
    const { timeMs, pongMs } = await Promise.race([sending, progress.stalled]);
    const messagesPerSecond = (times / timeMs) * 1000;
    const result = { type, count: times, bytes: times * payload.length, timeMs, messagesPerSecond, pongMs };
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : resultText(result));
  } finally {
    progress.stop();
    client.close();
  }
}

export function registerSend(program: Command): void {
  const payloadFlag = (flag: string, text: string, others: string[]): Option =>
    new Option(flag, text).conflicts(others);
  addDialFlags(program.command('send'), 'send')
    .description('sends messages to a node and waits for a pong that proves they were read')
    .requiredOption('--type <TYPE>', 'message type')
    .addOption(payloadFlag('--data <TEXT>', 'payload as text (default: empty)', ['hex', 'file']))
    .addOption(payloadFlag('--hex <HEX>', 'payload in hexadecimal', ['data', 'file']))
    .addOption(payloadFlag('--file <FILE>', 'payload from a file', ['data', 'hex']))
    .option('--count <N>', 'how many times', '1')
    .option('--json', 'print the result as JSON')
    .action(send);
}
