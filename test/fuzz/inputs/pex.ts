/** Messages of `pex/peers`: JSON with entries whose fields are right or nearly, few of them or too many. */
import fc from 'fast-check';
import { ip, withSlips } from './slips.js';

function mostly<T>(right: fc.Arbitrary<T>, ...wrong: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 12, arbitrary: right as fc.Arbitrary<unknown> },
    { weight: 1, arbitrary: fc.constantFrom(...wrong) },
  );
}

/** Few of each, so that many entries are about the same node or the same place. */
const id = withSlips(
  fc.constantFrom('a', 'b', 'c', 'us', 'banned', 'peer', 'n'.repeat(32), 'n'.repeat(33), 'ü'.repeat(16)),
);
const address = withSlips(
  fc.oneof(
    fc.constantFrom('8.8.8.8', '8.8.4.4', '2606:4700::1', '::ffff:8.8.8.8', '10.0.0.1', '127.0.0.1', 'host'),
    ip,
  ),
);
const port = fc.constantFrom(1, 26_656, 26_657, 65_535);
const time = withSlips(
  fc.constantFrom(
    '1972-09-26T12:00:00Z',
    '1971-01-01T00:00:00.5+01:00',
    '2026-01-01T00:00:00Z',
    '1960-01-01T00:00:00Z',
  ),
);

const entry = fc.record(
  {
    id: mostly(id, 5, null, ['a']),
    address: mostly(address, 5, null, { ip: '8.8.8.8' }),
    port: mostly(port, 0, -1, 65_536, 1.5, '26656', null, 1e300),
    source: fc.integer({ min: -1, max: 9 }),
    last_seen: mostly(time, 5, null, ''),
  },
  // A field that is missing is wrong, but for the last two.
  { requiredKeys: ['id', 'address', 'port'] },
);
const entries = fc.oneof(
  { weight: 4, arbitrary: fc.array(mostly(entry, null, 5, [], {}), { maxLength: 6 }) },
  { weight: 4, arbitrary: fc.array(mostly(entry, {}), { minLength: 20, maxLength: 200 }) },
  { weight: 1, arbitrary: entry.chain((one) => fc.constantFrom(Array(200).fill(one), Array(201).fill(one))) },
);
const message = fc.record(
  { timestamp: mostly(time, 5, null), peers: mostly(entries, null, 5, {}, 'none') },
  { requiredKeys: [] },
);
const json = mostly(message, null, [], 5, 'peers').map((value) => JSON.stringify(value));
/** A byte order mark is taken, what stands behind the end is not. */
const written = fc.tuple(fc.constantFrom('', '', '', '\uFEFF'), json, fc.constantFrom('', '', '', ' ', ']', '\0'));

export const pexMessages = fc
  .tuple(fc.nat(7), written)
  .map(([mode, parts]) => new Uint8Array(Buffer.concat([Uint8Array.of(mode), Buffer.from(parts.join(''))])));
