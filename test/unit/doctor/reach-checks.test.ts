import { describe, expect, it } from 'vitest';
import type { ReachFacts } from '../../../src/main/doctor/facts.js';
import type { SelfDial } from '../../../src/main/doctor/self-dial.js';
import { find, HOUR_MS, MINUTE_MS, NOW_MS, settingsOf, told } from './facts.js';

const nobody = { now: 0, count: 0, lastMs: null };
const failed: SelfDial = { kind: 'failed', reason: '9.9.9.9:26656: ECONNREFUSED' };
const here: SelfDial = { kind: 'here' };

/** A node that says that it is at 9.9.9.9. */
function external(dial: SelfDial | null, more: Partial<NonNullable<ReachFacts['external']>> = {}) {
  return { address: '9.9.9.9:26656', dial, fault: null, toldIp: '9.9.9.9', ip: '9.9.9.9', ...more };
}

describe('whether the node is reached', () => {
  it('is proven by who has come from outside, whatever its own dials say', () => {
    const finding = find('reachable', { reach: { external: external(failed) } });
    expect(told(finding)).toMatch(/^ok\nOthers reach this node: 4 inbound peers/);
  });

  it('was proven by who came from outside today, but not long ago', () => {
    const came = (agoMs: number) => find('reachable', { reach: { outside: { now: 0, lastMs: NOW_MS - agoMs } } });
    expect(came(2 * HOUR_MS).summary).toBe('Others reached this node: the last from outside 2h 0s ago.');
    expect(came(2 * HOUR_MS).level).toBe('ok');
    expect(came(25 * HOUR_MS).level).toBe('warn');
  });

  it('can’t be known from inside while the node is young, and it says so', () => {
    const young = { uptimeMs: 5 * MINUTE_MS, reach: { outside: nobody } };
    expect(told(find('reachable', young))).toMatch(/^unknown\n.*can't be known from inside/);
    const dialled = find('reachable', { ...young, reach: { outside: nobody, external: external(here) } });
    expect(told(dialled)).toMatch(/^unknown\n.*gets here, but it never left this network/);
    expect(dialled.remedy).toContain("'paw-p2p crawl 9.9.9.9:26656'");
  });

  it('is doubted when a node with outbound peers has waited an hour for somebody', () => {
    expect(find('reachable', { reach: { outside: nobody } }).level).toBe('warn');
    expect(find('reachable', { reach: { outside: nobody }, status: { peers: { outbound: 0 } } }).level).toBe('unknown');
  });

  it('is doubted when its own dial fails, but a router without hairpin is thought of', () => {
    const finding = find('reachable', { uptimeMs: 0, reach: { outside: nobody, external: external(failed) } });
    expect(told(finding)).toMatch(/^warn\n.*our own dial of 9\.9\.9\.9:26656 failed: .*ECONNREFUSED/);
    expect(told(finding)).toContain('a router that does not lead its own address back inside');
  });

  it('needs a port forwarded where the machine has no public address', () => {
    const finding = find('reachable', { reach: { outside: nobody, hasPublicIp: false } });
    expect(told(finding)).toContain('behind a router');
    expect(finding.remedy).toContain('forward TCP port 26656');
  });

  it('is no when somebody else answers at its address, when it listens on loopback, or does not answer at all', () => {
    const elsewhere = { outside: nobody, external: external({ kind: 'other', id: 'x' }) };
    expect(find('reachable', { reach: elsewhere }).level).toBe('fail');
    const loopback = { outside: nobody, listenHost: '127.0.0.1' };
    expect(told(find('reachable', { reach: loopback }))).toMatch(/^fail\nNobody outside can reach/);
    const deaf = { outside: nobody, listen: { address: '127.0.0.1:26656', dial: failed } };
    expect(told(find('reachable', { reach: deaf }))).toMatch(/^fail\n.*not even from this machine/);
  });

  it('is yes on loopback in a network that is on this machine', () => {
    const settings = settingsOf({ nonStrictAddresses: true });
    const finding = find('reachable', { settings, reach: { outside: nobody, listenHost: '127.0.0.1' } });
    expect(finding).toMatchObject({
      level: 'ok',
      summary: 'This node is reached at 127.0.0.1:26656, on this machine.',
    });
  });

  it('does not matter to a node that takes nobody in', () => {
    const settings = settingsOf({ maxInbound: 0 });
    expect(find('reachable', { settings, reach: { outside: nobody } }).level).toBe('ok');
  });

  it('is not proven by who comes from the own network', () => {
    const inside = { now: 3, count: 5, lastMs: NOW_MS };
    const finding = find('reachable', { reach: { outside: nobody, inside } });
    expect(told(finding)).toMatch(/^warn\n/);
    expect(finding.evidence).toContain(
      'inbound peers from addresses of this machine or its network: 3 now, 5 in this run, the last 0s ago',
    );
  });
});

describe('the address that the node gives out', () => {
  it.each<[string, ReturnType<typeof external>, RegExp]>([
    [
      'has a name that nobody knows',
      external(null, { fault: 'unknown-name', ip: null }),
      /^fail\n.*name does not resolve/,
    ],
    ['is not routable', external(null, { fault: 'not-routable' }), /^fail\n.*announced to nobody/],
    [
      'leads to another node',
      external({ kind: 'other', id: 'x' }),
      /^fail\n.*leads to another node[\s\S]*node x answers/,
    ],
    ['leads to one of another chain', external({ kind: 'refused', reason: 'chain' }), /^fail\n.*leads to another node/],
    ['leads to somebody of the same ID', external({ kind: 'twin' }), /^fail\n.*another node shows this node's ID/],
    ['leads elsewhere by now', external(here, { ip: '9.9.9.8' }), /^warn\n.*leads to 9\.9\.9\.8 now.*9\.9\.9\.9\./],
  ])('is wrong when it %s', (_, wrong, words) => {
    const finding = find('address', { reach: { external: wrong } });
    expect(told(finding)).toMatch(words);
    expect(finding.remedy).not.toBeNull();
  });

  it('is right when it leads here, or when nobody can say', () => {
    expect(find('address', { reach: { external: external(here) } }).summary).toContain('leads here');
    expect(find('address', { reach: { external: external(failed) } }).level).toBe('ok');
  });

  it('is wrong on loopback, unless the network is', () => {
    const reach = { listenHost: '127.0.0.1', listen: { address: '127.0.0.1:26656' } };
    expect(find('address', { reach })).toMatchObject({ level: 'fail', remedy: expect.stringContaining('[::]:26656') });
    expect(find('address', { reach, settings: settingsOf({ nonStrictAddresses: true }) }).level).toBe('ok');
  });
});

describe('addresses that others tell for this node', () => {
  const say = (voices: number, dial: SelfDial | null) => [{ address: '7.7.7.7:1', voices, dial }];

  it('are worth a word when several netgroups tell one that leads here, and the own one does not', () => {
    const finding = find('address', { reach: { told: say(2, here), external: external(failed) } });
    expect(told(finding)).toMatch(/^warn\n2 netgroups reported this node at 7\.7\.7\.7:1/);
    expect(find('address', { reach: { told: say(2, here), external: external(here) } }).level).toBe('ok');
  });

  it('alarm nobody where there is nothing to compare: strangers may say what they like', () => {
    expect(find('address', { reach: { told: say(2, here) } }).level).toBe('unknown');
    expect(find('address', { reach: { told: say(2, failed) } }).level).toBe('ok');
    expect(find('address', { reach: { told: say(2, { kind: 'other', id: 'x' }) } }).level).toBe('ok');
  });

  it('count for nothing from one netgroup, but stand in the evidence', () => {
    const finding = find('address', { reach: { told: say(1, { kind: 'twin' }) } });
    expect(finding.level).toBe('ok');
    expect(finding.evidence.join()).toContain("given by 1 netgroup for this node's ID: 7.7.7.7:1");
  });

  it('show that a copy of the node key is about, or somebody who borrows the ID', () => {
    expect(told(find('address', { reach: { told: say(2, { kind: 'twin' }) } }))).toMatch(
      /^warn\n.*shows this node's ID/,
    );
  });
});
