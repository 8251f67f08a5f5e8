/**
 * Owns how the node logs (specification 7.2): pino lines on standard output, readable on a terminal, JSON otherwise.
 * Main thread; lines of worker handlers come here as messages.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { LogFormat, LogLevel } from './config/settings.js';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go instead of standard output. */
  readonly stream?: DestinationStream;
}

const STDOUT_FD = 1;

/** What must not reach a log, even if some line names it by mistake. */
const neverLogged = ['payload', '*.payload', 'adminToken', '*.adminToken'];

/** A logger without context; see {@link withContext}. Writes are synchronous: the last line before an exit counts. */
export function createLogger({ level, format, stream }: LoggerOptions): Logger {
  const target = format === 'pretty' ? prettyStream(stream) : (stream ?? destination({ dest: STDOUT_FD, sync: true }));
  return pino({ level, base: null, redact: { paths: neverLogged, remove: true } }, target);
}

function prettyStream(stream: DestinationStream | undefined): DestinationStream {
  return PinoPretty({
    sync: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    colorize: stream === undefined && process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    destination: (stream as NodeJS.WritableStream | undefined) ?? STDOUT_FD,
  });
}

/** The logger of one node: every line bears its node ID and chain ID. */
export function withContext(logger: Logger, context: { readonly nodeId: string; readonly chainId: string }): Logger {
  return logger.child({ nodeId: context.nodeId, chainId: context.chainId });
}
