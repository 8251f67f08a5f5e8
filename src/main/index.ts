/**
 * The library. `createNode` starts a PAW node in this process: sockets on this thread, framing, validation and handlers
 * on worker threads.
 */

import { resolveSettings } from './config/resolve.js';
import type { NodeOptions } from './config/settings.js';
import { startNode } from './node.js';
import type { Node } from './public-node.js';

export {
  ConfigError,
  ErrorCode,
  type ErrorCodeName,
  errorCodeName,
  NodeError,
  type NodeErrorCode,
  PeerError,
} from '../shared/errors.js';
export type {
  BroadcastOptions,
  DeclaredHandler,
  Handler,
  HandlerContext,
  HandlerLog,
  HandlerModule,
  Message,
} from '../shared/handler.js';
export type { Codec, Fanout, Overflow, Policy, PolicyDeclaration } from '../shared/policy.js';
export type {
  AddressInfo,
  BanInfo,
  BanOptions,
  BroadcastResult,
  ConnectionState,
  Direction,
  DiscoveryStatus,
  DoctorReport,
  DrainOptions,
  DrainStatus,
  Finding,
  FindingLevel,
  HistoryEntry,
  HistoryKind,
  HistoryQuery,
  HourCount,
  LifetimeStatus,
  MemoryStatus,
  NodeEvents,
  NodeHealth,
  NodeStatus,
  PeerEnd,
  PeerInfo,
  ReloadResult,
  SettingChange,
  SubscribedMessage,
  TypeDeclarations,
  WorkerRestart,
  WorkerStatus,
} from './api.js';
export type { PresetName } from './config/presets.js';
export type { LogFormat, LogLevel, NodeOptions } from './config/settings.js';
export type { Node } from './public-node.js';

/**
 * Starts a node and returns it when it listens.
 * @param options see {@link NodeOptions}; what is left out has its default
 * @throws ConfigError for a wrong option, naming it; NodeError for what the machine refuses (`code` says what)
 * @example
 * await using node = await createNode({ listen: '127.0.0.1:0', handlers: [new URL('./tx.js', import.meta.url)] });
 */
export async function createNode(options: NodeOptions = {}): Promise<Node> {
  const { types, logger, ...library } = options;
  const settings = resolveSettings({ library });
  return startNode(settings, { ...(types && { types }), ...(logger && { logger }) });
}
