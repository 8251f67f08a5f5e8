/** What an operator may ask a node for, right or nearly: bans, dials, broadcasts, drains. */
import fc from 'fast-check';
import { duration, ip, withSlips } from './slips.js';

/** One call, and of what it says the part that the node itself reads. */
export type Request =
  | { readonly kind: 'ban'; readonly target: string; readonly time: unknown }
  | { readonly kind: 'unban'; readonly target: string }
  | { readonly kind: 'dial'; readonly address: string }
  | { readonly kind: 'broadcast'; readonly type: string }
  | { readonly kind: 'drain'; readonly time: unknown };

const id = fc.constantFrom('peer-a', 'a', 'n'.repeat(32), 'ü'.repeat(16), 'ü'.repeat(17), ' ', '');
const range = fc.tuple(ip, fc.nat(130)).map(([network, prefix]) => `${network}/${prefix}`);
const zoned = ip.map((one) => `${one}%eth0`);
const target = withSlips(
  fc.oneof(
    ip,
    range,
    zoned,
    id.map((one) => `id:${one}`),
  ),
).filter((text) => text !== '');

const DAY_MS = 86_400_000;
const time = fc.oneof(
  duration.filter((text) => text !== ''),
  withSlips(fc.constantFrom('forever', '0s', '100d', '36500d', '36501d', '200.500000d', '24h', '24.001h')),
  fc.constantFrom(0, 1, 0.5, DAY_MS, DAY_MS + 1, 36_500 * DAY_MS, 36_500 * DAY_MS + 1, 1e300),
  fc.nat(10_000).map((ms) => ms + 1),
);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 6 });

const host = fc.oneof(
  ip.map((one) => (one.includes(':') ? `[${one}]` : one)),
  fc.constantFrom('localhost', 'seed1.paw.network', 'x'.repeat(253), 'x'.repeat(254), '::1', ''),
);
const port = fc.oneof(fc.nat(65_535), fc.constantFrom(0, 65_536, '', '00080', '+1'));
const address = withSlips(
  fc
    .tuple(
      fc.oneof(
        fc.constant(''),
        id.map((one) => `${one}@`),
      ),
      host,
      port,
    )
    .map(([who, where, at]) => `${who}${where}:${at}`),
);
const type = withSlips(
  fc.constantFrom(
    'tx',
    'ping',
    'pong',
    'disconnect',
    'pex/peers',
    't'.repeat(255),
    't'.repeat(256),
    'ü'.repeat(127),
    '',
  ),
);

export const requests: fc.Arbitrary<Request> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ban' as const), target, time: maybe(time) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unban' as const), target }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dial' as const), address }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('broadcast' as const), type }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), time: maybe(time) }) },
);
