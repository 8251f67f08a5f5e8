import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBanTarget, requireBanTarget } from '../../../src/main/peers/ban-target.js';
import { type BanRecord, Bans, type Offences } from '../../../src/main/peers/bans.js';
import { hostKeyOf } from '../../../src/main/peers/net-group.js';
import { ErrorCode } from '../../../src/shared/errors.js';
import { canonicalIp } from '../../../src/shared/wire/routability.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = 1_800_000_000_000;
const about = { reason: 'test', code: ErrorCode.Banned, nowMs: NOW_MS };
const anyV4 = fc.ipV4();
const anyV6 = fc.ipV6().map((text) => canonicalIp(text)!);
const anyIp = fc.oneof(anyV4, anyV6).map((text) => canonicalIp(text)!);

function spelling(text: string): string | null {
  return parseBanTarget(text)?.text ?? null;
}

function targetOf({ ip, id = null }: { ip: string; id?: string | null }, bans: Bans, nowMs = NOW_MS): string | null {
  return bans.check({ ip, id }, nowMs)?.target ?? null;
}

/** What a store would hold. */
function stored() {
  const bans = new Map<string, BanRecord>();
  const offences = new Map<string, Offences>();
  let writes = 0;
  const keep = <T>(table: Map<string, T>, target: string, record: T | null) => {
    writes++;
    if (record === null) table.delete(target);
    else table.set(target, record);
  };
  const make = (maxBans?: number) =>
    new Bans(
      {
        onBan: (target, ban) => keep(bans, target, ban),
        onOffence: (target, record) => keep(offences, target, record),
      },
      maxBans,
    );
  return { bans, offences, make, writes: () => writes };
}

describe('the target of a ban', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1.2.3.0/24', '1.2.3.0/24'],
    ['1.2.3.77/24', '1.2.3.0/24'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['1.2.3.4/32', '1.2.3.4'],
    ['::ffff:1.2.3.77/120', '1.2.3.0/24'],
    ['2001:db8:1:2:3::/64', '2001:db8:1:2::/64'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['ffff::/1', '8000::/1'],
    ['::1.2.3.4/64', '::/64'],
    ['id:alice', 'id:alice'],
    ['id:1.2.3.0/24', 'id:1.2.3.0/24'],
    ['id:with space', 'id:with space'],
    [`id:${'x'.repeat(32)}`, `id:${'x'.repeat(32)}`],
  ])('%s is known as %s', (text, known) => {
    expect(spelling(text)).toBe(known);
  });

  it.each([
    '',
    ' ',
    'nobody',
    'example.com',
    '1.2.3',
    '1.2.3.4:26656',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '01.2.3.4',
    '1.2.3.4%eth0',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/8/8',
    '1.2.3.4/0x8',
    '0.0.0.0/0',
    '::/0',
    '::ffff:0.0.0.0/96',
    '::ffff:1.2.3.4/24',
    '2001:db8::/129',
    'fe80::%eth0/64',
    'id:',
    'id:two\nlines',
    `id:${'x'.repeat(33)}`,
    'ID:alice',
  ])('can’t be %j', (text) => {
    expect(parseBanTarget(text)).toBeNull();
    expect(() => requireBanTarget(text)).toThrow(TypeError);
  });

  it('that is none is shown on one line, with what is allowed', () => {
    expect(() => requireBanTarget('no\nbody')).toThrow(
      "target is 'no\\nbody': must be an IP address, a CIDR range such as 1.2.3.0/24, or id:NODEID",
    );
  });

  it('has one spelling, which reads back as itself', () => {
    const ranges = fc.oneof(
      fc.tuple(anyV4, fc.integer({ min: 1, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 97, max: 128 })),
    );
    fc.assert(
      fc.property(ranges, ([ip, prefix]) => {
        const text = spelling(`${ip}/${prefix}`);
        expect(text).not.toBeNull();
        expect(spelling(text!)).toBe(text);
      }),
    );
  });

  it('is every host that reputation is kept by', () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        expect(spelling(hostKeyOf(ip))).toBe(hostKeyOf(ip));
      }),
    );
  });

  it('may be any text without throwing', () => {
    const rangeLike = fc
      .tuple(fc.oneof(fc.ipV6(), fc.ipV4(), fc.string()), fc.string())
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), rangeLike), (text) => {
        expect(() => parseBanTarget(text)).not.toThrow();
      }),
    );
  });
});

describe('a ban', () => {
  it('is for its address, range or ID, and nobody else', () => {
    const bans = new Bans();
    for (const target of ['1.2.3.4', '5.6.0.0/16', '2001:db8::/32', 'id:mallory']) {
      bans.ban({ ...about, target, forMs: null });
    }
    expect(targetOf({ ip: '1.2.3.4' }, bans)).toBe('1.2.3.4');
    expect(targetOf({ ip: '1.2.3.5' }, bans)).toBeNull();
    expect(targetOf({ ip: '5.6.7.8', id: 'x' }, bans)).toBe('5.6.0.0/16');
    expect(targetOf({ ip: '5.7.7.8', id: 'x' }, bans)).toBeNull();
    expect(targetOf({ ip: '2001:db8:ffff::1' }, bans)).toBe('2001:db8::/32');
    expect(targetOf({ ip: '2001:db9::1' }, bans)).toBeNull();
    expect(targetOf({ ip: '9.9.9.9', id: 'mallory' }, bans)).toBe('id:mallory');
    expect(targetOf({ ip: '9.9.9.9', id: '1.2.3.4' }, bans)).toBeNull();
  });

  it('of a range of one family is not for the other', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: '0.0.0.0/1', forMs: null });
    expect(targetOf({ ip: '::1' }, bans)).toBeNull();
    bans.ban({ ...about, target: '::/1', forMs: null });
    expect(targetOf({ ip: '128.0.0.1' }, bans)).toBeNull();
  });

  it('of a link-local address holds on every interface', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: hostKeyOf('fe80::1%eth0'), forMs: 'escalate' });
    expect(targetOf({ ip: 'fe80::1%eth1' }, bans)).toBe('fe80::1');
    expect(bans.unban('fe80::1')).toBe(true);
    bans.ban({ ...about, target: 'fe80::/10', forMs: null });
    expect(targetOf({ ip: 'fe80::2%eth0' }, bans)).toBe('fe80::/10');
  });

  it('is for nobody whose socket has no address any more', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: '::/1', forMs: null });
    expect(targetOf({ ip: '', id: 'x' }, bans)).toBeNull();
  });

  it('ends at its time, and one for good does not', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: '1.2.3.4', forMs: 1000 });
    bans.ban({ ...about, target: 'id:x', forMs: null });
    expect(targetOf({ ip: '1.2.3.4' }, bans, NOW_MS + 999)).toBe('1.2.3.4');
    expect(targetOf({ ip: '1.2.3.4' }, bans, NOW_MS + 1000)).toBeNull();
    expect(bans.list(NOW_MS + 1000).map(({ target }) => target)).toEqual(['id:x']);
    expect(targetOf({ ip: '1.2.3.4', id: 'x' }, bans, NOW_MS + 1e12)).toBe('id:x');
  });

  it('that is over does not hide a wider one', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: '1.2.3.4', forMs: 10 });
    bans.ban({ ...about, target: '1.2.3.0/24', forMs: 20 });
    bans.ban({ ...about, target: '1.2.0.0/16', forMs: 30 });
    const at = (ms: number) => targetOf({ ip: '1.2.3.4' }, bans, NOW_MS + ms);
    expect([at(10), at(20), at(30)]).toEqual(['1.2.3.0/24', '1.2.0.0/16', null]);
  });

  it('is replaced by a later one of the same target, however that is spelled', () => {
    const bans = new Bans();
    bans.ban({ ...about, target: '1.2.3.0/24', forMs: null });
    const ban = bans.ban({ ...about, target: '1.2.3.9/24', forMs: 10, reason: 'later' });
    expect(bans.list(NOW_MS)).toEqual([ban]);
    expect(ban).toMatchObject({ target: '1.2.3.0/24', reason: 'later', untilMs: NOW_MS + 10 });
  });

  it('can be lifted, which leaves the others', () => {
    const bans = new Bans();
    for (const target of ['1.2.0.0/16', '1.3.0.0/16']) bans.ban({ ...about, target, forMs: null });
    expect(bans.unban('1.2.0.0/16')).toBe(true);
    expect(bans.unban('1.2.0.0/16')).toBe(false);
    expect(targetOf({ ip: '1.2.3.4' }, bans)).toBeNull();
    expect(targetOf({ ip: '1.3.3.4' }, bans)).toBe('1.3.0.0/16');
  });

  it('of what is no target is a fault of the caller', () => {
    expect(() => new Bans().ban({ ...about, target: 'nobody', forMs: null })).toThrow('nobody');
  });

  it('never ends later than a date can tell', () => {
    const { untilMs } = new Bans().ban({ ...about, target: '1.2.3.4', forMs: Number.MAX_SAFE_INTEGER });
    expect(() => new Date(untilMs!).toISOString()).not.toThrow();
  });

  it('falls on whom a list of all ranges, looked through one by one, says', () => {
    const step = fc.record({ text: anyIp, prefix: fc.integer({ min: 1, max: 128 }), lifted: fc.boolean() });
    const near = (ip: string, flip: number) => (isIPv4(ip) ? ip.replace(/\d+$/, String(flip)) : ip);
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 20 }),
        fc.array(anyIp, { maxLength: 20 }),
        fc.nat(255),
        (steps, others, flip) => {
          const bans = new Bans();
          const kept = new Map<string, BlockList>();
          for (const { text, prefix, lifted } of steps) {
            const bits = isIPv4(text) ? Math.min(prefix, 32) : prefix;
            const target = requireBanTarget(`${text}/${bits}`);
            bans.ban({ ...about, target, forMs: null });
            const naive = new BlockList();
            naive.addSubnet(text, bits, isIPv4(text) ? 'ipv4' : 'ipv6');
            kept.set(target, naive);
            if (lifted) {
              bans.unban(target);
              kept.delete(target);
            }
          }
          for (const ip of [
            ...steps.map(({ text }) => text),
            ...steps.map(({ text }) => near(text, flip)),
            ...others,
          ]) {
            const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
            // Node matches IPv4 addresses against mapped IPv6 ranges too; a peer has one family here.
            const expected = [...kept].filter(
              ([target, naive]) => target.includes(':') === ip.includes(':') && naive.check(ip, family),
            );
            const found = targetOf({ ip }, bans);
            if (expected.length === 0) expect(found).toBeNull();
            else expect(expected.map(([target]) => target)).toContain(found);
          }
        },
      ),
    );
  });

  it('by reputation falls on everybody who shares the host', () => {
    fc.assert(
      fc.property(anyIp, (ip) => {
        const bans = new Bans();
        bans.ban({ ...about, target: hostKeyOf(ip), forMs: 'escalate' });
        expect(targetOf({ ip }, bans)).toBe(hostKeyOf(ip));
      }),
    );
  });
});

describe('automatic bans', () => {
  const escalate = (bans: Bans, target: string, nowMs: number) => {
    const { untilMs } = bans.ban({ ...about, target, forMs: 'escalate', nowMs });
    return (untilMs! - nowMs) / DAY_MS;
  };

  it('last a day, then a week, then 30 days each time, by target', () => {
    const bans = new Bans();
    const days = Array.from({ length: 5 }, (_, i) => escalate(bans, '6.6.6.6', NOW_MS + i * 31 * DAY_MS));
    expect(days).toEqual([1, 7, 30, 30, 30]);
    expect(escalate(bans, '6.6.6.7', NOW_MS)).toBe(1);
  });

  it('begin with a day again after 90 days without one, not before', () => {
    const bans = new Bans();
    escalate(bans, '6.6.6.6', NOW_MS);
    expect(escalate(bans, '6.6.6.6', NOW_MS + 90 * DAY_MS - 1)).toBe(7);
    expect(escalate(bans, '6.6.6.6', NOW_MS + 180 * DAY_MS)).toBe(1);
    expect(escalate(bans, '6.6.6.6', NOW_MS + 181 * DAY_MS)).toBe(7);
  });

  it('are not counted where the operator said how long', () => {
    const bans = new Bans();
    for (let i = 0; i < 3; i++) bans.ban({ ...about, target: '6.6.6.6', forMs: HOUR_MS });
    expect(escalate(bans, '6.6.6.6', NOW_MS)).toBe(1);
  });

  it('are remembered after they have ended and were swept, also over a restart', () => {
    const { bans: table, offences, make } = stored();
    const before = make();
    escalate(before, '6.6.6.6', NOW_MS);
    before.sweep(NOW_MS + 2 * DAY_MS);
    expect([table.size, offences.size]).toEqual([0, 1]);
    const after = make();
    after.restore([], structuredClone([...offences.values()]), NOW_MS + 3 * DAY_MS);
    expect(escalate(after, '6.6.6.6', NOW_MS + 3 * DAY_MS)).toBe(7);
    after.sweep(NOW_MS + 94 * DAY_MS);
    expect(offences.size).toBe(0);
  });
});

describe('the list of bans', () => {
  it('is bounded: the ban that ends first makes room, never one for good', () => {
    const { bans: table, offences, make } = stored();
    const bans = make(3);
    bans.ban({ ...about, target: 'id:x', forMs: null });
    bans.ban({ ...about, target: '1.0.0.1', forMs: 10 * DAY_MS });
    bans.ban({ ...about, target: '1.0.0.2', forMs: 5 * DAY_MS });
    bans.ban({ ...about, target: '1.0.0.3', forMs: DAY_MS });
    expect([...table.keys()]).toEqual(['id:x', '1.0.0.1', '1.0.0.3']);
    for (let i = 0; i < 50; i++) bans.ban({ ...about, target: `2.0.0.${i}`, forMs: 'escalate' });
    expect(bans.list(NOW_MS).map(({ target }) => target)).toEqual([...table.keys()]);
    expect([...table.keys()]).toEqual(['id:x', '1.0.0.1', '2.0.0.49']);
    expect([...offences.keys()]).toEqual(['2.0.0.47', '2.0.0.48', '2.0.0.49']);
  });

  it('forgets the offences that are longest ago first, also those of an earlier run', () => {
    const { offences, make } = stored();
    const bans = make(3);
    const old = [3, 1, 2].map((i) => ({ target: `1.0.0.${i}`, count: 1, lastMs: NOW_MS - 10 + i }));
    bans.restore([], old, NOW_MS);
    bans.ban({ ...about, target: '1.0.0.1', forMs: 'escalate' });
    bans.ban({ ...about, target: '9.9.9.9', forMs: 'escalate' });
    expect([...offences.keys()]).toEqual(['1.0.0.1', '9.9.9.9']);
    const again = new Bans({}, 3);
    again.restore([], old, NOW_MS);
    again.ban({ ...about, target: '9.9.9.9', forMs: 'escalate' });
    expect(again.ban({ ...about, target: '1.0.0.3', forMs: 'escalate' }).untilMs).toBe(NOW_MS + 7 * DAY_MS);
  });

  it('survives a restart as it was, without writing it all again', () => {
    const someBan = fc.record({
      ip: anyIp,
      forMs: fc.oneof(fc.constant(null), fc.constant('escalate' as const), fc.integer({ min: 1, max: 4 * DAY_MS })),
      agoMs: fc.integer({ min: 0, max: 3 * DAY_MS }),
    });
    fc.assert(
      fc.property(fc.array(someBan, { maxLength: 15 }), (made) => {
        const { bans: table, offences, make, writes } = stored();
        const before = make();
        for (const { ip, forMs, agoMs } of made) {
          before.ban({ ...about, target: hostKeyOf(ip), forMs, nowMs: NOW_MS - agoMs });
        }
        const list = before.list(NOW_MS);
        const written = writes();
        const over = table.size - list.length;
        const after = make();
        after.restore(structuredClone([...table.values()]), structuredClone([...offences.values()]), NOW_MS);
        const byTarget = (bans: BanRecord[]) => bans.sort((a, b) => (a.target < b.target ? -1 : 1));
        expect(byTarget(after.list(NOW_MS))).toEqual(byTarget(list));
        for (const { ip } of made) expect(targetOf({ ip }, after)).toBe(targetOf({ ip }, before));
        expect(writes() - written).toBe(over);
      }),
    );
  });

  it('has what ended while the node was down taken out of the store', () => {
    const { bans: table, make } = stored();
    make().ban({ ...about, target: '1.2.3.4', forMs: 1000 });
    make().restore([...table.values()], [], NOW_MS + 1000);
    expect(table.size).toBe(0);
  });

  it('takes up nothing that is rubbish', () => {
    const ban = { target: '1.2.3.4', reason: '', code: 1, sinceMs: NOW_MS, untilMs: null };
    const offence = { target: '1.2.3.4', count: 2, lastMs: NOW_MS };
    const rubbishBans = [
      null,
      1,
      'x',
      {},
      { ...ban, target: 'nobody' },
      { ...ban, target: '1.2.3.4/24' },
      { ...ban, target: '0.0.0.0/0' },
      { ...ban, reason: 1 },
      { ...ban, code: 'x' },
      { ...ban, sinceMs: Number.NaN },
      { ...ban, untilMs: undefined },
      { ...ban, untilMs: 1e300 },
    ];
    const rubbishOffences = [
      null,
      {},
      { ...offence, count: 0 },
      { ...offence, count: 1.5 },
      { ...offence, lastMs: '1' },
    ];
    const bans = new Bans();
    bans.restore(rubbishBans, rubbishOffences, NOW_MS);
    expect(bans.list(NOW_MS)).toEqual([]);
    expect(bans.ban({ ...about, target: '1.2.3.4', forMs: 'escalate' }).untilMs).toBe(NOW_MS + DAY_MS);
    bans.restore([...rubbishBans, ban], [...rubbishOffences, offence], NOW_MS);
    expect(bans.list(NOW_MS)).toEqual([ban]);
  });

  it('shows the newest first', () => {
    const bans = new Bans();
    for (const [i, target] of ['1.0.0.1', '1.0.0.2', '1.0.0.3'].entries()) {
      bans.ban({ ...about, target, forMs: null, nowMs: NOW_MS + ((i * 2) % 3) });
    }
    expect(bans.list(NOW_MS + 9).map(({ target }) => target)).toEqual(['1.0.0.2', '1.0.0.3', '1.0.0.1']);
  });
});

describe('a wall clock that was wrong by years and is set back', () => {
  it('does not make a day’s ban one of years, nor offences last for ever', () => {
    const { offences, make } = stored();
    const bans = make();
    const farMs = NOW_MS + 3000 * DAY_MS;
    bans.ban({ ...about, target: '6.6.6.6', forMs: 'escalate', nowMs: farMs });
    bans.ban({ ...about, target: 'id:x', forMs: null, nowMs: farMs });
    bans.sweep(NOW_MS);
    expect(targetOf({ ip: '6.6.6.6' }, bans, NOW_MS + DAY_MS - 1)).toBe('6.6.6.6');
    expect(targetOf({ ip: '6.6.6.6' }, bans, NOW_MS + DAY_MS)).toBeNull();
    expect(targetOf({ ip: '1.1.1.1', id: 'x' }, bans, NOW_MS + DAY_MS)).toBe('id:x');
    bans.sweep(NOW_MS + 91 * DAY_MS);
    expect(offences.size).toBe(0);
  });
});
