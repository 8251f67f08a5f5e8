import { describe, expect, it } from 'vitest';
import type { PeerFacts, WorkerFacts } from '../../../src/main/doctor/facts.js';
import { ErrorCode } from '../../../src/shared/errors.js';
import { find, hourCount, MIB, settingsOf, told, wellFacts } from './facts.js';

const full = { total: 60, inbound: 50, outbound: 10 };
const refused = hourCount('rejected', ErrorCode.PeerLimitReached, 30);

function refusedBy(limit: 'maxInbound' | 'maxPeers' | 'maxPerSubnet', times: number) {
  return { maxPeers: 0, maxInbound: 0, maxOutbound: 0, maxPerSubnet: 0, [limit]: times };
}

describe('limits', () => {
  it('are too low when all inbound places are taken and others are refused', () => {
    const status = { peers: full, lastHour: [refused] };
    const finding = find('limits', { status, refusedBy: refusedBy('maxInbound', 30) });
    expect(told(finding)).toMatch(/^warn\nAll places for inbound peers are taken; 30 were refused/);
    expect(finding.remedy).toContain('Raise maxInbound (50)');
  });

  it('name maxPeers when that is what is full', () => {
    const status = { peers: { total: 100, inbound: 45, outbound: 55 }, lastHour: [refused] };
    expect(find('limits', { status, refusedBy: refusedBy('maxPeers', 30) }).remedy).toContain('Raise maxPeers (100)');
  });

  it('are no matter while nobody is refused, or once there is room again', () => {
    expect(find('limits', { status: { peers: full } }).level).toBe('ok');
    const status = { lastHour: [refused] };
    expect(find('limits', { status, refusedBy: refusedBy('maxInbound', 30) }).level).toBe('ok');
  });

  it('of a subnet are told apart, and only when they refuse many', () => {
    const of = (times: number) =>
      find('limits', { status: { lastHour: [refused] }, refusedBy: refusedBy('maxPerSubnet', times) });
    expect(told(of(30))).toMatch(/^warn\nmaxPerSubnet refused 30 inbound peers/);
    expect(of(3).level).toBe('ok');
  });

  it('of rates are told when somebody is held back by them', () => {
    const lastHour = [hourCount('penalised', ErrorCode.RateLimited, 2)];
    expect(told(find('limits', { status: { lastHour } }))).toMatch(/^warn\n.* 2 times[\s\S]*receiveRate/);
  });

  it('can belie the preset', () => {
    const settings = settingsOf({ preset: 'high-traffic', maxPeers: 40, maxInbound: 20, maxOutbound: 20 });
    expect(told(find('limits', { settings }))).toMatch(/^warn\nThe preset is high-traffic, but maxPeers is 40/);
    expect(find('limits', { settings: settingsOf({ preset: 'high-traffic' }) }).level).toBe('ok');
  });
});

describe('workers', () => {
  const workers = (...changes: Partial<WorkerFacts>[]) => ({
    workers: changes.map((change) => ({ ...wellFacts.workers[0]!, ...change })),
  });

  it.each<[string, Parameters<typeof find>[1], RegExp]>([
    ['one is down', workers({}, { isLive: false, lastDeath: 'on purpose' }), /^fail\nWorker 1 is down: on purpose/],
    [
      'one is stuck',
      workers({ inHand: { forMs: 7300, peerId: 'p', type: null } }, {}),
      /^fail\nWorker 0 has been busy for 7\.3 s with what peer p sent/,
    ],
    [
      'one is stuck in a handler',
      workers({ inHand: { forMs: 7300, peerId: null, type: 'tx' } }, {}),
      /^fail\nWorker 0 has been busy for 7\.3 s with a message of type 'tx' that peer \(gone\) sent/,
    ],
    [
      'one died',
      workers({}, { deaths: 2, lastDeath: 'boom' }),
      /^warn\nWorker 1 died 2 times within the last hour: boom/,
    ],
    [
      'a queue is nearly full',
      workers({}, { queuedMessages: 900 }),
      /^warn\n900 messages wait in the handler queues of worker 1/,
    ],
    [
      'one is far behind',
      workers({ lagMs: 3 }, { lagMs: 350 }, { lagMs: 4 }),
      /^warn\nWorker 1 is 350 ms behind, far more/,
    ],
    [
      'all are behind',
      workers({ lagMs: 300 }, { lagMs: 350 }),
      /^warn\nAll workers are 350 ms behind[\s\S]*Raise workers \(2\)/,
    ],
    [
      'the only one is behind',
      { ...workers({ lagMs: 350 }), cores: 2 },
      /^warn\nThe only worker is 350 ms behind[\s\S]*no more cores/,
    ],
  ])('are the bottleneck when %s', (_, change, words) => {
    expect(told(find('workers', change))).toMatch(words);
  });

  it('are told with the types whose handlers are slowest', () => {
    const handlers = [
      { type: 'busy', messages: 4, meanMs: 250.4 },
      { type: 'vote', messages: 100, meanMs: 2.25 },
      { type: 'tx', messages: 100_000, meanMs: 0.0042 },
      { type: 'quick', messages: 1, meanMs: 0.001 },
    ];
    const { evidence } = find('workers', { ...workers({ lagMs: 350 }), handlers });
    expect(evidence).toContain(
      'slowest handlers since the start: busy 250 ms (4), vote 2.3 ms (100), tx 0.004 ms (100000)',
    );
  });

  it('that are busy but quick, or hold few messages, are no matter', () => {
    const change = workers({ inHand: { forMs: 4, peerId: 'p', type: 'tx' }, lagMs: 60, queuedMessages: 300 }, {});
    expect(find('workers', change).level).toBe('ok');
    expect(find('workers', { ...workers({ queuedMessages: 5 }), shortestQueue: null }).level).toBe('ok');
  });
});

describe('slow peers', () => {
  const peers = (...changes: Partial<PeerFacts>[]) => ({
    peers: [
      ...wellFacts.peers,
      ...changes.map((change, i) => ({ ...wellFacts.peers[0]!, id: `slow-${i}`, ...change })),
    ],
  });

  it('are those whose send queue is half full', () => {
    const finding = find('slow-peers', peers({ queuedBytes: 5 * MIB }));
    expect(told(finding)).toMatch(
      /^warn\nPeers that read more slowly than we send: slow-0\.[\s\S]*5\.0 MiB of 8\.0 MiB wait for it/,
    );
  });

  it('are those that are far beyond the others or a second away; one stranger is no alarm, a persistent peer is', () => {
    expect(told(find('slow-peers', peers({ rttMs: 1200 })))).toMatch(/^ok\nOnly a few peers are slow: slow-0/);
    expect(told(find('slow-peers', peers({ rttMs: 400 })))).toMatch(/^ok\nOnly a few peers are slow: slow-0/);
    expect(told(find('slow-peers', peers({ rttMs: 1200, persistent: true })))).toMatch(
      /^warn\nFar away or busy: slow-0/,
    );
    expect(find('slow-peers', peers({ rttMs: 100 })).summary).toBe('No peer is slow.');
  });

  it('that are most of all point at the own line', () => {
    const many = Array.from({ length: 9 }, () => ({ rttMs: 3000 }));
    expect(told(find('slow-peers', peers(...many)))).toMatch(/^warn\nMost peers are slow \(9 of 13\)[\s\S]*and 4 more/);
  });

  it('that were cut off are counted', () => {
    const status = (times: number) => ({
      status: { lastHour: [hourCount('disconnected', ErrorCode.WriteTimeout, times)] },
    });
    expect(told(find('slow-peers', status(3)))).toMatch(/^warn\n3 peers were cut off/);
    expect(find('slow-peers', status(1)).level).toBe('ok');
  });
});

describe('the main thread', () => {
  it('is late when it is now, or was in several seconds of the last minute', () => {
    expect(told(find('main-thread', { status: { eventLoopLagMs: 350 } }))).toMatch(/^warn\n.*by 350 ms at worst/);
    expect(told(find('main-thread', { loopLagMs: [3, 250, 260, 9, 300] }))).toMatch(/^warn\n.*by 300 ms at worst/);
    expect(find('main-thread', { loopLagMs: [2500, 2600, 2700] }).level).toBe('fail');
  });

  it('is not, for one second at the start', () => {
    expect(find('main-thread', { loopLagMs: [900, 3, 4] }).level).toBe('ok');
  });
});
