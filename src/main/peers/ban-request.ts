/**
 * Owns how a ban is asked for by the application or the operator. Pure; main thread.
 */
import { ConfigError } from '../../shared/errors.js';
import type { BanOptions } from '../api.js';
import { parseDuration } from '../config/duration.js';
import { oneLine } from '../config/wrong-value.js';
import { requireBanTarget } from './ban-target.js';

/** Most that a ban may last that is not for good. */
export const BAN_MAX_MS = 100 * 365 * 86_400_000;

/** The one spelling of a target. @throws ConfigError `target` */
export function banTarget(text: string): string {
  try {
    return requireBanTarget(text);
  } catch (error) {
    throw new ConfigError('target', (error as Error).message);
  }
}

/** How long a ban is to last: milliseconds, null for good. @throws ConfigError `for` */
export function banTimeMs(time: BanOptions['for']): number | null | 'escalate' {
  if (time === undefined) return 'escalate';
  if (time === 'forever') return null;
  const ms = typeof time === 'number' ? time : parseDuration(time);
  if (ms !== null && Number.isSafeInteger(ms) && ms > 0 && ms <= BAN_MAX_MS) return ms;
  throw new ConfigError('for', `for is '${oneLine(String(time))}': must be a duration such as 24h or 30d, or forever`);
}
