import { describe, expect, it } from 'vitest';
import type { CrawlFault } from '../../../src/main/discovery/seed-crawler.js';
import type { SeedOutcome } from '../../../src/main/discovery/seed-outcomes.js';
import type { Facts, PersistentFacts } from '../../../src/main/doctor/facts.js';
import { ErrorCode } from '../../../src/shared/errors.js';
import { find, HOUR_MS, hourCount, NOW_MS, settingsOf, told } from './facts.js';

const alone = { total: 0, inbound: 0, outbound: 0 };
const noDials = { succeeded: 0, failed: 9, queued: 0, dropped: 0 };
const emptyBook = { known: 0, sample: { size: 0, failing: 0, unwanted: 0, connected: 0, netGroups: 0 } };

function seed(name: string, more: Partial<SeedOutcome> = {}): SeedOutcome {
  return { seed: name, askedMs: NOW_MS - 5000, fault: null, detail: null, peers: 3, dialFault: null, ...more };
}

function failing(name: string, fault: CrawlFault): SeedOutcome {
  return seed(name, { fault, detail: `why: ${fault}`, peers: 0 });
}

describe('the chain', () => {
  const mismatch = hourCount('dial-failed', ErrorCode.ChainIDMismatch, 4);

  it('is wrong when everybody who was dialled is of another, and it names what was found', () => {
    const strangers = [{ address: '1.2.3.4:1', detail: 'chain paw-other, ours is paw-mainnet' }];
    const finding = find('chain', { status: { peers: alone, dials: noDials, lastHour: [mismatch] }, strangers });
    expect(told(finding)).toMatch(
      /^fail\nEvery node that answered our dials within the last hour \(4\).*'paw-mainnet'/,
    );
    expect(finding.evidence).toContain('1.2.3.4:1: chain paw-other, ours is paw-mainnet');
    expect(finding.remedy).toContain('chainId');
  });

  it('is not the fault when it is the version', () => {
    const lastHour = [hourCount('dial-failed', ErrorCode.ProtocolVersionMismatch, 2)];
    const finding = find('chain', { status: { peers: alone, dials: noDials, lastHour } });
    expect(told(finding)).toMatch(/^fail\n.*another protocol version/);
  });

  it('is right when some dials succeed, however many addresses of other chains somebody tells', () => {
    expect(find('chain', { status: { lastHour: [mismatch] } }).level).toBe('ok');
  });

  it('is not doubted because strangers of other chains come', () => {
    const lastHour = [hourCount('rejected', ErrorCode.ChainIDMismatch, 5000)];
    expect(find('chain', { status: { peers: alone, dials: noDials, lastHour } }).level).toBe('ok');
  });

  it('of a seed may be another', () => {
    const seeds = [seed('a:1', { dialFault: { code: ErrorCode.ChainIDMismatch, reason: 'other' } })];
    expect(told(find('chain', { seeds }))).toMatch(/^warn\n1 seed of another chain: a:1\./);
  });
});

describe('seeds', () => {
  it.each<[CrawlFault, RegExp]>([
    ['name', /how its name is spelled/],
    ['refused', /Nothing listens at that port/],
    ['unreachable', /can't get there/],
    ['silent', /firewall/],
    ['closed', /asked too often/],
    ['answer', /not a PAW seed/],
    ['given-up', /next round/],
  ])('that fail with %s have a remedy of their own', (fault, words) => {
    const finding = find('seeds', { seeds: [failing('a:1', fault), seed('b:1')] });
    expect(finding).toMatchObject({ level: 'warn', summary: '1 of 2 seeds fail.' });
    expect(finding.remedy).toMatch(words);
    expect(finding.remedy).toContain('(a:1)');
    expect(finding.evidence).toEqual([`a:1: asked 5s ago, failed: why: ${fault}`, 'b:1: asked 5s ago, named 3 peers']);
  });

  it('that all fail are grave for a node that has nobody, and only then', () => {
    const seeds = [failing('a:1', 'refused'), failing('b:1', 'silent')];
    expect(find('seeds', { seeds, status: { peers: alone } })).toMatchObject({
      level: 'fail',
      summary: 'No seed answers.',
    });
    expect(find('seeds', { seeds }).level).toBe('warn');
  });

  it('that tell nobody and refuse a dial help nobody', () => {
    const dialFault = { code: ErrorCode.PeerLimitReached, reason: 'full' };
    const finding = find('seeds', { seeds: [seed('a:1', { peers: 0, dialFault })], status: { peers: alone } });
    expect(told(finding)).toMatch(
      /^fail\n.*named no peers[\s\S]*a:1: asked 5s ago, named no peers; dialled as a peer: full/,
    );
  });

  it('that know nobody are told as that', () => {
    const finding = find('seeds', { seeds: [seed('a:1', { peers: 0 })], status: { peers: alone } });
    expect(told(finding)).toMatch(/^warn\nThe seeds answer, but none knows of anybody/);
  });

  it('that were not needed are no matter', () => {
    expect(find('seeds', { seeds: [seed('a:1', { askedMs: null })] })).toMatchObject({ level: 'ok' });
    expect(find('seeds', { seeds: [] }).level).toBe('ok');
  });
});

describe('persistent peers', () => {
  const peer = (more: Partial<PersistentFacts>): PersistentFacts => {
    return { address: 'x@1.2.3.4:1', isConnected: false, attempts: 1, fault: null, ...more };
  };

  it('under another ID are named, with what was found', () => {
    const fault = { code: ErrorCode.IdentityMismatch, reason: 'dialled x, found y' };
    const finding = find('persistent', { persistent: [peer({ fault })] });
    expect(told(finding)).toMatch(/^fail\nAnother node ID answers at x@1\.2\.3\.4:1[\s\S]*dialled x, found y/);
  });

  it('that are away are told with why', () => {
    const fault = { code: ErrorCode.NetworkError, reason: 'ECONNREFUSED' };
    const finding = find('persistent', { persistent: [peer({ fault, attempts: 3 }), peer({ isConnected: true })] });
    expect(told(finding)).toMatch(
      /^warn\n1 of 2 persistent peers can't be reached[\s\S]*3 dials in a row failed: ECONNREFUSED/,
    );
  });

  it('that are there, or were not dialled yet, are no matter', () => {
    expect(find('persistent', { persistent: [peer({ isConnected: true })] }).level).toBe('ok');
    expect(find('persistent', { persistent: [peer({ attempts: 0 })] }).level).toBe('ok');
  });
});

describe('few peers', () => {
  const lonely = (change: Partial<Facts>, status: object = {}) =>
    find('peers', { uptimeMs: HOUR_MS, ...change, status: { peers: alone, ...status } });

  it('are no wonder just after the start', () => {
    expect(told(lonely({ uptimeMs: 4000 }))).toMatch(/^unknown\n.*started 4s ago/);
  });

  it.each<[string, Partial<Facts>, object, RegExp]>([
    ['it may dial nobody', { settings: settingsOf({ maxOutbound: 0, minOutbound: 0 }) }, {}, /maxOutbound is 0/],
    ['it wants nobody', { settings: settingsOf({ minOutbound: 0 }) }, {}, /minOutbound is 0/],
    ['it has nobody to ask', { book: emptyBook, seeds: [], settings: settingsOf({ seeds: [] }) }, {}, /nobody to ask/],
    ['its seeds told nobody', { book: emptyBook }, {}, /named nobody that can be dialled/],
    ['its queue is full', {}, { dials: { ...noDials, queued: 100, dropped: 7 } }, /queue is full \(7 dials dropped\)/],
    ['all are banned', { book: sampled({ unwanted: 50 }) }, {}, /banned or of low reputation/],
    ['all dials fail', { book: sampled({ failing: 50 }) }, {}, /dials to everybody else that it knows fail/],
    ['all are of one netgroup', { book: sampled({ netGroups: 1 }) }, {}, /lie in 1 netgroup/],
    ['it is still at it', { book: sampled({}) }, {}, /still dialling/],
  ])('are explained when %s', (_, change, status, words) => {
    const finding = lonely(change, status);
    expect(told(finding)).toMatch(/^fail\n0 peers/);
    expect(finding.summary).toMatch(words);
  });

  it('are told with the codes of the dials that failed', () => {
    const lastHour = [hourCount('dial-failed', ErrorCode.HandshakeTimeout, 12)];
    expect(told(lonely({}, { lastHour }))).toContain('within the last hour: HandshakeTimeout 12');
  });

  it('are fewer than wanted, which is less grave than none', () => {
    const finding = find('peers', { status: { peers: { total: 4, inbound: 1, outbound: 3 } } });
    expect(told(finding)).toMatch(/^warn\n4 peers \(1 inbound, 3 outbound\), 10 outbound are wanted: /);
  });

  it('are all that there are in a small network', () => {
    const change = {
      book: sampled({ size: 4, connected: 3, unwanted: 1 }),
      status: { peers: { total: 3, inbound: 3, outbound: 0 } },
    };
    expect(told(find('peers', change))).toMatch(/^ok\n.*everybody that it knows of/);
  });

  it('of one, on the internet, is somebody to doubt', () => {
    const status = { peers: { total: 1, inbound: 0, outbound: 1 } };
    const change = { book: sampled({ size: 1, connected: 1 }), status };
    expect(told(find('peers', change))).toMatch(/^warn\n.*knows nobody else/);
    expect(find('peers', { ...change, settings: settingsOf({ nonStrictAddresses: true }) }).level).toBe('ok');
  });
});

function sampled(more: Partial<Facts['book']['sample']>): Facts['book'] {
  const sample = { size: 50, failing: 3, unwanted: 0, connected: 0, netGroups: 40, ...more };
  return { known: sample.size, sample };
}
