/**
 * Owns the command `tap`: connects as a peer and prints what arrives, one line a message. Main thread.
 */
import { once } from 'node:events';
import type { Command } from 'commander';
import { integer, messageTypeText } from '../config/kinds.js';
import { harmless } from '../harmless-text.js';
import { parseFlag } from './config-flags.js';
import { addDialFlags, type DialFlags, planDial } from './dial-flags.js';
import { listenForStop } from './exit.js';

const COUNT_MAX = 1_000_000_000;
/** What is shown of a payload. */
const SHOWN_BYTES = 24;

interface TapFlags extends DialFlags {
  readonly type?: string;
  readonly count?: string;
  readonly json?: true;
}

interface Frame {
  readonly type: string;
  readonly payload: Buffer;
}

/** A message as one line of JSON, with the whole payload. */
function jsonLine(time: string, { type, payload }: Frame): string {
  return `${JSON.stringify({ time, type, bytes: payload.length, payloadBase64: payload.toString('base64') })}\n`;
}

/** A message as one line for people. Nothing that a peer sent can do harm to a terminal. */
export function tapLine(time: string, { type, payload }: Frame): string {
  const start = payload.subarray(0, SHOWN_BYTES);
  const more = payload.length > SHOWN_BYTES ? '…' : '';
  const printable = start.toString('latin1').replace(/[^ -~]/g, '.');
  const shown = start.length === 0 ? '' : `  ${start.toString('hex')}${more}  |${printable}|${more}`;
  return `${time} ${harmless(type)} ${payload.length} B${shown}\n`;
}

async function tap(address: string, flags: TapFlags): Promise<void> {
  const plan = planDial('tap', address, flags);
  const wanted = flags.type === undefined ? null : parseFlag('type', messageTypeText(), flags.type);
  let left =
    flags.count === undefined ? Number.POSITIVE_INFINITY : parseFlag('count', integer(1, COUNT_MAX), flags.count);
  const lineOf = flags.json ? jsonLine : tapLine;
  const client = await plan.connect();
  const stop = listenForStop();
  // Ends the loop below.
  void stop.first.then(() => client.close());
  try {
    for await (const frame of client) {
      if (wanted !== null && frame.type !== wanted) continue;
      // Waits for a slow terminal, so that its peer is slowed down rather than this process filled.
      if (!process.stdout.write(lineOf(new Date().toISOString(), frame))) await once(process.stdout, 'drain');
      if (--left === 0) break;
    }
  } finally {
    stop.release();
    client.close();
  }
}

export function registerTap(program: Command): void {
  addDialFlags(program.command('tap'), 'tap')
    .description('connects as a peer and prints what arrives, one message per line')
    .option('--type <TYPE>', 'only messages of this type')
    .option('--count <N>', 'stop after N messages')
    .option('--json', 'one JSON object per line, with the whole payload in base64')
    .action(tap);
}
