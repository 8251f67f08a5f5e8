/**
 * Owns how a drain is asked for by the application or the operator. Pure; main thread.
 */
import { ConfigError } from '../shared/errors.js';
import type { DrainOptions } from './api.js';
import { parseDuration } from './config/duration.js';
import { oneLine } from './config/wrong-value.js';

const DEFAULT_MS = 60_000;
/** Most that a drain may take. */
export const DRAIN_MAX_MS = 24 * 3_600_000;

/** How long a drain may take, in milliseconds. @throws ConfigError `within` */
export function drainTimeMs(within: DrainOptions['within']): number {
  if (within === undefined) return DEFAULT_MS;
  const ms = typeof within === 'number' ? within : parseDuration(within);
  if (ms !== null && Number.isSafeInteger(ms) && ms >= 0 && ms <= DRAIN_MAX_MS) return ms;
  throw new ConfigError('within', `within is '${oneLine(String(within))}': must be a duration up to 24h, such as 60s`);
}
