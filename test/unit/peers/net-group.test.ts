import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostKeyOf, isLocal, netGroupOf, subnetOf } from '../../../src/main/peers/net-group.js';
import { canonicalIp } from '../../../src/shared/wire/routability.js';

describe('an address', () => {
  it.each([
    ['8.8.4.4', '8.8.0.0/16', '8.8.4.0/24', '8.8.4.4'],
    ['127.7.1.2', '127.7.0.0/16', '127.7.1.0/24', '127.7.1.2'],
    ['2001:4860:4860:1:2:3:4:8888', '2001:4860::/32', '2001:4860:4860:1::/64', '2001:4860:4860:1::/64'],
    ['2600::1', '2600::/32', '2600::/64', '2600::/64'],
    ['2600:1:0:5::', '2600:1::/32', '2600:1:0:5::/64', '2600:1:0:5::/64'],
  ])('%s is of netgroup %s, subnet %s and host %s', (ip, group, subnet, host) => {
    expect([netGroupOf(ip, 26656), subnetOf(ip), hostKeyOf(ip), isLocal(ip)]).toEqual([group, subnet, host, false]);
  });

  it('is local exactly within 127.0/16, 10/8, 172.16/12, 192.168/16, 169.254/16, ::1, fc00::/7 and fe80::/10', () => {
    const local = new BlockList();
    for (const net of ['127.0.0.0/16', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16']) {
      local.addSubnet(net.split('/')[0]!, Number(net.split('/')[1]), 'ipv4');
    }
    local.addAddress('::1', 'ipv6');
    local.addSubnet('fc00::', 7, 'ipv6');
    local.addSubnet('fe80::', 10, 'ipv6');
    const near = fc.constantFrom('127', '10', '172', '192', '169', '0', '16', '31', '32', '168', '254', '255');
    const v4 = fc.oneof(
      fc.ipV4(),
      fc.tuple(near, near, near, near).map((octets) => octets.join('.')),
    );
    const word = fc.constantFrom('0', '1', 'fc', 'fc00', 'fdff', 'fe', 'fe7f', 'fe80', 'febf', 'fec0', 'ff02', 'fbff');
    const v6 = fc.oneof(
      fc.ipV6(),
      fc.array(word, { minLength: 8, maxLength: 8 }).map((words) => words.join(':')),
      word.map((last) => `::${last}`),
    );
    fc.assert(
      fc.property(fc.oneof(v4, v6), (text) => {
        const ip = canonicalIp(text)!;
        expect(isLocal(ip)).toBe(local.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6'));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['127.0.0.1', '127.0.0.1:5'],
    ['127.0.200.1', '127.0.200.1:5'],
    ['10.1.2.3', '10.1.2.3:5'],
    ['172.31.0.1', '172.31.0.1:5'],
    ['192.168.1.1', '192.168.1.1:5'],
    ['169.254.0.1', '169.254.0.1:5'],
    ['::1', '[::1]:5'],
    ['fd00::1', '[fd00::1]:5'],
    ['fe80::1', '[fe80::1]:5'],
  ])('of this host or network, %s, is a netgroup of its own and in no subnet', (ip, group) => {
    expect([netGroupOf(ip, 5), subnetOf(ip), hostKeyOf(ip), isLocal(ip)]).toEqual([group, null, ip, true]);
  });
});
