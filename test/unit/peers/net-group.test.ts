import { describe, expect, it } from 'vitest';
import { hostKeyOf, isLocal, netGroupOf, subnetOf } from '../../../src/main/peers/net-group.js';

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
