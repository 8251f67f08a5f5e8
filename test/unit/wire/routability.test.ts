import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalIp, isRoutable } from '../../../src/shared/wire/routability.js';

describe('an IP address', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:102:304', '1.2.3.4'],
    ['0:0:0:0:0:ffff:0102:0304', '1.2.3.4'],
    ['::ffff:0:0', '0.0.0.0'],
    ['0:0:0:0:ffff:0:1:2', '::ffff:0:1:2'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical);
  });

  it.each([
    '',
    'localhost',
    '1.2.3',
    '1.2.3.4 ',
    '01.2.3.4',
    '256.1.1.1',
    '[::1]',
    '::g',
    ':::',
    'fe80::1%eth0',
    '1:2',
  ])('is not %j', (text) => {
    expect(canonicalIp(text)).toBeNull();
  });

  it('has one canonical form, which is its own', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const canonical = canonicalIp(text) as string;
        expect(canonicalIp(canonical)).toBe(canonical);
        expect(canonicalIp(text.toUpperCase())).toBe(canonical);
      }),
    );
  });
});

describe('strict mode', () => {
  it.each([
    ['9.255.255.255', '10.0.0.0', '10.255.255.255', '11.0.0.0'],
    ['100.63.255.255', '100.64.0.0', '100.127.255.255', '100.128.0.0'],
    ['126.255.255.255', '127.0.0.0', '127.255.255.255', '128.0.0.0'],
    ['169.253.255.255', '169.254.0.0', '169.254.255.255', '169.255.0.0'],
    ['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'],
    ['191.255.255.255', '192.0.0.0', '192.0.0.255', '192.0.1.0'],
    ['192.0.1.255', '192.0.2.0', '192.0.2.255', '192.0.3.0'],
    ['192.167.255.255', '192.168.0.0', '192.168.255.255', '192.169.0.0'],
    ['198.17.255.255', '198.18.0.0', '198.19.255.255', '198.20.0.0'],
    ['2001:db7:ffff::', '2001:db8::', '2001:db8:ffff::', '2001:db9::'],
    ['2001:ffff::', '2002::', '2002:ffff::', '2003::'],
  ])('takes %s, nothing from %s to %s, and again %s', (before, first, last, after) => {
    expect([before, first, last, after].map(isRoutable)).toEqual([true, false, false, true]);
  });

  it.each(['0.0.0.0', '0.255.255.255', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', '203.0.113.9'])(
    'takes no %s',
    (ip) => {
      expect(isRoutable(ip)).toBe(false);
    },
  );

  it.each(['::', '::1', 'fe80::1', 'fec0::1', 'fc00::1', 'fdff::1', 'ff02::1', '64:ff9b::a00:1', '2001::1', '100::1'])(
    'takes no %s',
    (ip) => {
      expect(isRoutable(ip)).toBe(false);
    },
  );

  it.each(['1.1.1.1', '223.255.255.255', '2606:4700:4700::1111', '2001:200::1', '2a00::1', '2400:cb00::1'])(
    'takes %s',
    (ip) => {
      expect(isRoutable(ip)).toBe(true);
    },
  );

  it('takes nothing that is no IP address', () => {
    expect(['', 'localhost', '1.2.3'].map(isRoutable)).toEqual([false, false, false]);
  });
});
