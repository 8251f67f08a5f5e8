/**
 * Owns how a node logs (specification 7.2): its pino logger, the least level, and where lines go. The main thread only
 * serialises; a thread of the log writes. An application's own logger is used as it is, but for what it throws.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { LogLevel, Settings } from './config/settings.js';
import { LogThread } from './log-thread.js';

const STDOUT_FD = 1;

/** What must not reach a log, even if some line names it by mistake. */
const secrets = ['payload', 'payloadBase64', 'adminToken', 'authorization'];
const neverLogged = secrets.flatMap((name) => [name, `*.${name}`]);

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly stream: DestinationStream;
}

/** What every line of a node bears. */
export interface LogContext {
  readonly nodeId: string;
  readonly chainId: string;
}

/** A logger without context; see {@link NodeLog}. */
export function createLogger({ level, stream }: LoggerOptions): Logger {
  return pino({ level, base: null, redact: { paths: neverLogged, remove: true } }, stream);
}

/** A logger that writes JSON lines to standard output by itself, for programs with few lines: it needs no thread. */
export function directLogger(level: LogLevel): Logger {
  return createLogger({ level, stream: destination({ dest: STDOUT_FD, sync: true }) });
}

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/**
 * A logger whose lines never throw: they stand in the middle of all that a node does, and a full disk must not keep it from
 * connecting or closing. The first time is told as a warning of the process.
 */
function unfailing(logger: Logger): Logger {
  let isTold = false;
  const guarded = Object.create(logger) as Logger;
  for (const level of levels) {
    guarded[level] = (...line: unknown[]) => {
      try {
        Reflect.apply(logger[level], logger, line);
      } catch (error) {
        if (isTold) return;
        isTold = true;
        process.emitWarning(
          `the program's logger throws, lines are lost: ${String((error as Error)?.message)}`,
          'LogWarning',
        );
      }
    };
  }
  return guarded;
}

/** The log of one node. All of its parts log through {@link NodeLog.logger}, so that a level holds for all of them. */
export class NodeLog {
  /** Every line bears the node's ID and chain ID. */
  readonly logger: Logger;
  /** Null: the application's logger decides where lines go. */
  readonly #thread: LogThread | null;

  private constructor(logger: Logger, thread: LogThread | null) {
    this.logger = logger;
    this.#thread = thread;
  }

  /** @throws NodeError ERR_PAW_LOG_FILE when the log file can't be opened */
  static open(
    { logLevel, logFormat, logFile }: Pick<Settings, 'logLevel' | 'logFormat' | 'logFile'>,
    context: LogContext,
    given: Logger | undefined,
  ): NodeLog {
    if (given !== undefined) return new NodeLog(unfailing(given.child({ ...context })), null);
    const thread = new LogThread({
      file: logFile,
      format: logFormat,
      leftOut: (lines) => logger.error({ lines }, 'log lines left out: they could not be written fast enough'),
    });
    const logger = createLogger({ level: logLevel, stream: thread }).child({ ...context });
    // It will be needed, and comes up while the rest of the node does.
    if (logger.isLevelEnabled('info')) thread.start();
    return new NodeLog(logger, thread);
  }

  /** Changes the least level that is logged, at once and for all parts. An application's own logger keeps its level. */
  setLevel(level: LogLevel): void {
    if (this.#thread !== null) this.logger.level = level;
  }

  /** Reopens the log file, after it was renamed. @returns whether that went well; if not, a line says why */
  reopen(): boolean {
    try {
      if (this.#thread?.reopen() === true) return true;
      this.logger.warn('there is no log file to reopen');
    } catch (error) {
      this.logger.error({ error: (error as Error).message }, 'the log goes on into the file that is open');
    }
    return false;
  }

  /** Why lines can't be written now; null while they can. */
  get fault(): string | null {
    return this.#thread?.fault ?? null;
  }

  /** Writes what waits and lets go of thread and file. An application's own logger stays as it is. */
  async close(): Promise<void> {
    await this.#thread?.close();
  }
}
