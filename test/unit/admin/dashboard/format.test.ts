import { describe, expect, test } from 'vitest';
import { type LoggedEvent, logLine } from '../../../../src/main/admin/dashboard/event-text.js';
import {
  bytes,
  codeText,
  count,
  counted,
  dateAndTime,
  milliseconds,
  rate,
  span,
} from '../../../../src/main/admin/dashboard/format.js';
import { ban, peer } from '../fake-node.js';

describe('figures', () => {
  test.each([
    [rate(null), '–'],
    [rate(0), '0'],
    [rate(0.44), '0.4'],
    [rate(9.96), '10'],
    [rate(12_345.6), '12,346'],
    [rate(1_234_567), '1.23M'],
    [bytes(0), '0 B'],
    [bytes(1023), '1023 B'],
    [bytes(1024), '1.0 KiB'],
    [bytes(1024 * 1024 - 1), '1.0 MiB'],
    [bytes(5 * 1024 ** 4), '5.0 TiB'],
    [milliseconds(null), '–'],
    [milliseconds(0.37), '0.4 ms'],
    [milliseconds(12.3), '12 ms'],
    [milliseconds(999.7), '1.0 s'],
    [milliseconds(12_345), '12 s'],
    [span(-3), '0s'],
    [span(59.9), '59s'],
    [span(200), '3m 20s'],
    [span(3 * 86_400 + 3 * 3600), '3d 3h'],
    [count(1_234_567), '1,234,567'],
    [counted(1, 'peer'), '1 peer'],
    [counted(2, 'address', 'addresses'), '2 addresses'],
    [codeText(6), '0x06'],
    [codeText(0x4a), '0x4A'],
    [dateAndTime('soon'), 'soon'],
  ])('read as %s', (shown, expected) => {
    expect(shown).toBe(expected);
  });
});

describe('a line of the log', () => {
  const end = {
    id: null,
    address: '10.0.0.1:5',
    direction: 'inbound',
    code: 6,
    name: 'PeerLimitReached',
    reason: 'inbound limit reached',
  } as const;

  test.each<[LoggedEvent, string, string]>([
    [{ name: 'peer:connected', data: peer }, 'connected', 'peer-a at 10.0.0.1:26656'],
    [
      { name: 'peer:rejected', data: end },
      'refused',
      'nobody yet from 10.0.0.1:5: PeerLimitReached (0x06), inbound limit reached',
    ],
    [
      { name: 'peer:disconnected', data: { ...end, id: 'x', reason: '' } },
      'disconnected',
      'x from 10.0.0.1:5: PeerLimitReached (0x06)',
    ],
    [
      { name: 'peer:banned', data: { ...ban, until: null } },
      'banned',
      '10.0.0.0/24 for good: RateLimited (0x45), spam',
    ],
    [
      { name: 'worker:restarted', data: { worker: 1, restarts: 2, reason: 'out of memory' } },
      'worker',
      'worker 1 was replaced: out of memory',
    ],
    [{ name: 'missed', data: { events: 1200 } }, 'left out', '1,200 events'],
  ])('tells what happened: %j', (event, what, text) => {
    expect(logLine(event)).toMatchObject({ what, text });
  });
});
