/** Addresses as configuration and commands spell them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHostPort, formatPeerAddress, parseHostPort, parsePeerAddress } from '../../../src/main/net/address.js';

describe('an address', () => {
  test.each([
    ['127.0.0.1:26656', { host: '127.0.0.1', port: 26656 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
  ])('%s is one', (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
    expect(formatHostPort(expected)).toBe(text);
  });

  test.each(['', ':1', 'a', 'a:', 'a:65536', 'a:-1', 'a:1x', '::1:5', '[::1]', '[a]:5', 'a b:5', 'a@b:5', 'a:5 '])(
    '%j is none',
    (text) => {
      expect(parseHostPort(text)).toBeNull();
    },
  );

  test.each(['@a:1', 'x@', 'x@y@a:1', 'é@a:1', `${'x'.repeat(33)}@a:1`])('%j is none of a peer', (text) => {
    expect(parsePeerAddress(text)).toBeNull();
  });

  test('of a peer reads back as what it was printed from', () => {
    const id = fc.option(fc.stringMatching(/^[!-?A-~]{1,32}$/), { nil: null });
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((v6) => !v6.includes('%')),
      fc.domain(),
    );
    fc.assert(
      fc.property(id, host, fc.nat({ max: 65_535 }), (id, host, port) => {
        expect(parsePeerAddress(formatPeerAddress({ id, host, port }))).toEqual({ id, host, port });
      }),
    );
  });
});
