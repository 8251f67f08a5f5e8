import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatAddress,
  formatHostPort,
  formatPeerAddress,
  normalizeHost,
  parseHostPort,
  parsePeerAddress,
  requireHostPort,
  requirePeerAddress,
} from '../../../src/main/net/address.js';

describe('a host', () => {
  it.each([
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:102:304', '1.2.3.4'],
    ['1.2.3.4', '1.2.3.4'],
    ['Seed1.paw.network', 'Seed1.paw.network'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ])('%s is compared as %s', (host, normal) => {
    expect(normalizeHost(host)).toBe(normal);
  });
});

describe('an address', () => {
  it('prints an IPv6 host in brackets, and any other without', () => {
    expect(formatAddress('::1', 1)).toBe('[::1]:1');
    expect(formatAddress('1.2.3.4', 1)).toBe('1.2.3.4:1');
    expect(formatAddress('host', 65_535)).toBe('host:65535');
  });

  it.each([
    ['127.0.0.1:26656', { host: '127.0.0.1', port: 26656 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
    ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
    ['[fe80::1%br-lan.7]:1', { host: 'fe80::1%br-lan.7', port: 1 }],
    ['[fe80::1%4]:1', { host: 'fe80::1%4', port: 1 }],
  ])('%s is one', (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
    expect(formatHostPort(expected)).toBe(text);
    expect(requireHostPort(text)).toEqual(expected);
  });

  it('of a peer reads back as what it was printed from', () => {
    const id = fc.option(fc.stringMatching(/^[!-?A-~]{1,32}$/), { nil: null });
    const v6 = fc.ipV6().filter((ip) => !ip.includes('%'));
    const zoned = fc.tuple(v6, fc.stringMatching(/^[a-z][a-z\d.-]{0,14}$/)).map(([ip, zone]) => `${ip}%${zone}`);
    const host = fc.oneof(fc.ipV4(), v6, zoned, fc.domain());
    fc.assert(
      fc.property(id, host, fc.nat({ max: 65_535 }), (id, host, port) => {
        expect(parsePeerAddress(formatPeerAddress({ id, host, port }))).toEqual({ id, host, port });
      }),
    );
  });

  it('has one spelling once required', () => {
    expect(formatHostPort(requireHostPort('[2001:DB8:0::1]:0'))).toBe('[2001:db8::1]:0');
    expect(formatPeerAddress(requirePeerAddress('id@[::ffff:1.2.3.4]:5'))).toBe('id@1.2.3.4:5');
    expect(requirePeerAddress('host:5')).toEqual({ id: null, host: 'host', port: 5 });
  });

  it.each([
    ['', 'it is empty'],
    ['host', 'the port is missing'],
    ['host:', 'the port is missing'],
    ['[::1]', 'the port is missing'],
    ['[::1]5', 'the port is missing'],
    [':5', 'the host is missing'],
    ['host:65536', 'a port is a number up to 65535'],
    ['host:-1', 'a port is a number up to 65535'],
    ['host:5x', 'a port is a number up to 65535'],
    ['host:000005', 'a port is a number up to 65535'],
    ['::1', 'an IPv6 address goes in brackets'],
    ['2001:db8::1:26656', 'an IPv6 address goes in brackets'],
    ['[host]:5', 'no IPv6 address stands in its brackets'],
    ['[::1', 'no IPv6 address stands in its brackets'],
    ['[]:5', 'no IPv6 address stands in its brackets'],
    ['[fe80::1%]:5', 'no IPv6 address stands in its brackets'],
    ['[fe80::1%a%b]:5', 'no IPv6 address stands in its brackets'],
    [`[fe80::1%${'z'.repeat(99)}]:5`, 'a host is a name or an IP address'],
    ['a:1x', 'a port is a number up to 65535'],
    ['a:5 ', 'a port is a number up to 65535'],
    ['x@y@a:1', "there is an '@' too many"],
    ['a b:5', 'a host is a name or an IP address'],
    [`${'h'.repeat(254)}:5`, 'a host is a name or an IP address'],
    ['@host:5', "nothing stands before the '@'"],
    ['a@b@host:5', "there is an '@' too many"],
    ['ü@host:5', 'a node ID is 1 to 32 printable ASCII characters'],
    [`${'x'.repeat(33)}@host:5`, 'a node ID is 1 to 32 printable ASCII characters'],
    ['id@', 'it is empty'],
    ['id@host:0', 'nobody can be reached at port 0'],
  ])('%j of a peer is refused: %s', (text, why) => {
    expect(() => requirePeerAddress(text)).toThrow(TypeError);
    expect(() => requirePeerAddress(text)).toThrow(why);
  });

  it('to listen on has no ID, and may have port 0', () => {
    expect(() => requireHostPort('id@host:5')).toThrow("an '@' too many");
    expect(requireHostPort('host:0')).toEqual({ host: 'host', port: 0 });
  });

  it('that is refused spoils no line, however long or odd it is', () => {
    const odd = `a\n\u0085\u2028${'x'.repeat(9999)}`;
    const shown = /^'a\\n\\u0085\\u2028x+\.\.\.' is no address: /;
    expect(() => requireHostPort(odd)).toThrow(shown);
    expect(() => requireHostPort(odd)).not.toThrow(/.{250}/);
  });

  it('of any text is taken or refused alike by both ways to read it, on one line', () => {
    const near = fc.stringMatching(/^[a\d.:[\]@%\n-]{0,24}$/);
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
        for (const [parse, require] of [
          [parseHostPort, requireHostPort],
          [parsePeerAddress, requirePeerAddress],
        ] as const) {
          let refused = '';
          try {
            require(text);
          } catch (error) {
            refused = (error as TypeError).message;
          }
          const parsed = parse(text);
          expect(refused === '').toBe(parsed !== null && !(require === requirePeerAddress && parsed.port === 0));
          expect(refused).not.toMatch(/\p{Cc}/u);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
