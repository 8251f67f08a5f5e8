/**
 * Owns the error codes that travel on the wire, in metrics, logs and history (specification Appendix B, rulings 6), and
 * the error class that the library throws. Used on every thread.
 */

/** Error codes by name. 0x01 to 0x08 are Appendix B of the specification, 0x40 and up are ours (rulings 6). */
export const ErrorCode = {
  /** Not an error: a peer that announces `disconnect` with it is going away (rulings 2). */
  GoingAway: 0x00,
  ProtocolVersionMismatch: 0x01,
  ChainIDMismatch: 0x02,
  HandshakeTimeout: 0x03,
  MessageTooLarge: 0x04,
  InvalidMessageFormat: 0x05,
  PeerLimitReached: 0x06,
  ReputationRejection: 0x07,
  NetworkError: 0x08,
  DuplicateConnection: 0x40,
  SelfConnection: 0x41,
  ReadTimeout: 0x42,
  WriteTimeout: 0x43,
  IdlePeer: 0x44,
  RateLimited: 0x45,
  Banned: 0x46,
  ShuttingDown: 0x47,
  WorkerPoisoned: 0x48,
  ResourceExhausted: 0x49,
  IdentityMismatch: 0x4a,
} as const;

/** Name of an {@link ErrorCode}. */
export type ErrorCodeName = keyof typeof ErrorCode;
/** A code of the table. */
export type ErrorCode = (typeof ErrorCode)[ErrorCodeName];

const nameByCode = new Map<number, ErrorCodeName>(
  Object.entries(ErrorCode).map(([name, code]) => [code, name as ErrorCodeName]),
);

/** The name of a code for metrics, logs and JSON. A code nobody knows (a peer may send any byte) reads `Unknown`. */
export function errorCodeName(code: number): ErrorCodeName | 'Unknown' {
  return nameByCode.get(code) ?? 'Unknown';
}

/** What went wrong with a peer or connection: `code` and `name` are stable, `message` is for people. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly code: number;
  readonly codeName: ErrorCodeName | 'Unknown';
  /** With IdentityMismatch: the node ID that answered where another was dialled. */
  readonly foundId: string | undefined;

  constructor(code: number, message: string, options?: ErrorOptions & { readonly foundId?: string | undefined }) {
    super(message, options);
    this.code = code;
    this.codeName = errorCodeName(code);
    this.foundId = options?.foundId;
  }
}

/** A wrong configuration value. `key` names it; the message says what is allowed. Exit code 2 of the commands. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_PAW_CONFIG';
  readonly key: string;

  constructor(key: string, message: string) {
    super(message);
    this.key = key;
  }
}

/** Codes of {@link NodeError}. */
export type NodeErrorCode =
  | 'ERR_PAW_LISTEN'
  | 'ERR_PAW_DATA_DIR'
  | 'ERR_PAW_LOG_FILE'
  | 'ERR_PAW_HANDLER_MODULE'
  | 'ERR_PAW_HANDLER'
  | 'ERR_PAW_NOT_CONNECTED'
  | 'ERR_PAW_SEND_QUEUE_FULL'
  | 'ERR_PAW_MESSAGE'
  | 'ERR_PAW_DIAL_QUEUE_FULL'
  | 'ERR_PAW_CLOSED'
  | 'ERR_PAW_WORKER'
  | 'ERR_PAW_RELOAD';

/** What a node can't do for its caller. Match `code`, never the text. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
