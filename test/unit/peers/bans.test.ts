import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipNumber, parseBanTarget, requireBanTarget } from '../../../src/main/peers/ban-target.js';
import { type BanRecord, Bans, type Offences } from '../../../src/main/peers/bans.js';

const DAY_MS = 86_400_000;

function ban(bans: Bans, target: string, forMs: number | null | 'escalate' = 1000, nowMs = 0): BanRecord {
  return bans.ban({ target, forMs, reason: 'test', code: 5, nowMs });
}

describe('the target of a ban', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['1.2.3.4/24', '1.2.3.0/24'],
    ['1.2.3.4/32', '1.2.3.4'],
    ['2001:db8:1:2:3::/64', '2001:db8:1:2::/64'],
    ['::1/127', '::/127'],
    ['id:abc def', 'id:abc def'],
    ['id:ü@x', 'id:ü@x'],
  ])('%s has one spelling: %s', (text, spelling) => {
    expect(requireBanTarget(text)).toBe(spelling);
    expect(requireBanTarget(spelling)).toBe(spelling);
  });

  it.each([
    '',
    'host',
    '1.2.3',
    '0.0.0.0/0',
    '::/0',
    '1.2.3.4/33',
    '::/129',
    '1.2.3.4/',
    'id:',
    `id:${'x'.repeat(33)}`,
  ])('%j is none', (text) => {
    expect(parseBanTarget(text)).toBeNull();
    expect(() => requireBanTarget(text)).toThrow(/must be an IP address, a CIDR range/);
  });
});

describe('a ban', () => {
  it('lasts 24 h, 7 d, 30 d and 30 d by how often the target was banned, and is forgotten after 90 days', () => {
    const bans = new Bans();
    const lasts = (nowMs: number) => ban(bans, '1.2.3.4', 'escalate', nowMs).untilMs! - nowMs;
    expect([0, 1, 2, 3].map((day) => lasts(day * DAY_MS))).toEqual([1, 7, 30, 30].map((days) => days * DAY_MS));
    bans.sweep(200 * DAY_MS);
    expect(lasts(200 * DAY_MS)).toBe(DAY_MS);
  });

  it('holds for its address, range or ID alone, and until its end', () => {
    const bans = new Bans();
    ban(bans, '1.2.3.4');
    ban(bans, '9.9.0.0/16', null);
    ban(bans, 'id:evil', 500);
    const check = (ip: string, id: string | null, nowMs = 0) => bans.check({ ip, id }, nowMs)?.target ?? null;
    expect(check('1.2.3.4', null)).toBe('1.2.3.4');
    expect(check('1.2.3.5', 'x')).toBeNull();
    expect(check('9.9.255.1', 'x')).toBe('9.9.0.0/16');
    expect(check('9.10.0.1', 'x')).toBeNull();
    expect(check('5.5.5.5', 'evil')).toBe('id:evil');
    expect(check('5.5.5.5', 'evil', 500)).toBeNull();
    expect(check('1.2.3.4', null, 1000)).toBeNull();
    expect(check('9.9.1.1', null, 1e15)).toBe('9.9.0.0/16');
    expect(
      bans
        .list(700)
        .map(({ target }) => target)
        .sort(),
    ).toEqual(['1.2.3.4', '9.9.0.0/16']);
  });

  it('finds for any ranges and any address what looking at each range finds', () => {
    const octet = fc.integer({ min: 0, max: 3 });
    const v4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
    const v6 = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 8 }).map((words) => words.join(':'));
    const range = fc.oneof(
      fc.tuple(v4, fc.integer({ min: 1, max: 32 })),
      fc.tuple(v6, fc.integer({ min: 1, max: 128 })),
    );
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), fc.oneof(v4, v6), (ranges, text) => {
        const bans = new Bans();
        const targets = ranges.map(([host, prefix]) => requireBanTarget(`${host}/${prefix}`));
        for (const target of targets) ban(bans, target);
        const ip = requireBanTarget(text);
        const bits = ip.includes(':') ? 128 : 32;
        const covers = (target: string) => {
          const [network, prefix = String(bits)] = target.split('/') as [string, string?];
          if (network.includes(':') !== ip.includes(':')) return false;
          const shift = BigInt(bits - Number(prefix));
          return ipNumber(network) >> shift === ipNumber(ip) >> shift;
        };
        expect(bans.check({ ip, id: null }, 0) !== null).toBe(targets.some(covers));
        for (const target of new Set(targets)) expect(bans.unban(target)).toBe(true);
        expect(bans.check({ ip, id: null }, 0)).toBeNull();
      }),
    );
  });

  it('survives a restart with its offences, and rubbish in the store does not matter', () => {
    const stored = new Map<string, BanRecord>();
    const offences = new Map<string, Offences>();
    const parts = {
      onBan: (target: string, record: BanRecord | null) =>
        void (record === null ? stored.delete(target) : stored.set(target, record)),
      onOffence: (target: string, record: Offences | null) =>
        void (record === null ? offences.delete(target) : offences.set(target, record)),
    };
    const before = new Bans(parts);
    ban(before, '1.2.3.0/24', 'escalate');
    ban(before, 'id:x', null);
    ban(before, '5.5.5.5', 10);
    before.unban('id:x');
    const rubbish = [
      null,
      7,
      {},
      { target: 'nonsense' },
      { target: '1.1.1.1', reason: 5 },
      [...stored.values()][0]!.target,
    ];
    const after = new Bans();
    after.restore([...stored.values(), ...rubbish], [...offences.values(), ...rubbish], 100);
    expect(after.list(100)).toEqual([stored.get('1.2.3.0/24')]);
    expect(ban(after, '1.2.3.0/24', 'escalate', 200).untilMs).toBe(200 + 7 * DAY_MS);
  });

  it('of more than there is room for lets those go that end first', () => {
    const bans = new Bans({}, 10);
    ban(bans, '1.1.1.1', null);
    for (let i = 0; i < 30; i++) ban(bans, `2.2.2.${i}`, 1000 + i);
    const targets = bans.list(0).map(({ target }) => target);
    expect(targets).toHaveLength(10);
    expect(targets).toContain('1.1.1.1');
    expect(targets).toContain('2.2.2.29');
  });
});
