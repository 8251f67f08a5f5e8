/**
 * Slow and hostile peers: what each of them can do to a node, in figures. `Siege` holds the node to what it promises
 * whatever is done; what an attack has to come to beside that stands here.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/shared/errors.js';
import { Siege } from './support/siege.js';

const nobodyInVain = { refused: 0, unanswered: 0 };
let siege: Siege;

/** One node lives through all that is done to it, one attack after the other: what they leave behind would add up. */
function besieged(options: readonly string[] = []): void {
  beforeAll(async () => {
    siege = await Siege.begin(options);
  });
  afterAll(() => siege.end());
}

describe('a crowd at the door', () => {
  besieged(['--handshake-timeout', '2s']);

  it('is to be compared with nobody', async () => {
    const { visits } = await siege.withstands('nobody', {}, 1000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of 500 that never finish their handshakes keeps nobody out', async () => {
    const { visits } = await siege.withstands('slowLoris', { count: 500 }, 3500);
    expect(visits).toMatchObject(nobodyInVain);
    // 256 may be under way at once: the oldest give way to whoever comes.
    expect(await siege.node.countOf('rejected', ErrorCode.ResourceExhausted)).toBeGreaterThan(0);
  });

  it('of one address that connects and goes keeps nobody out', async () => {
    const { visits } = await siege.withstands('connects', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of one address that shakes hands under ever new names keeps nobody out', async () => {
    const { visits } = await siege.withstands('handshakes', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of a thousand addresses that shake hands under ever new names keeps nobody out', async () => {
    const { visits } = await siege.withstands('handshakes', { count: 50, hosts: 1000 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that crawls from one address keeps nobody out', async () => {
    const { visits } = await siege.withstands('crawls', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that crawls from ten thousand addresses keeps nobody out', async () => {
    const { visits } = await siege.withstands('crawls', { count: 50, hosts: 10_000 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that sends noise keeps nobody out', async () => {
    const { visits } = await siege.withstands('strangers', { count: 50 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that shows the names of others gets neither the place of a peer nor that of the node', async () => {
    const ids = [Siege.goodPeerId, siege.node.id];
    const { attackers, visits } = await siege.withstands('thieves', { count: 20, ids }, 2000);
    const codes = Object.keys((attackers as { answers: object }).answers).map(Number);
    expect(codes).toEqual([ErrorCode.DuplicateConnection, ErrorCode.SelfConnection]);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that takes all places does not take the place of who was there before', async () => {
    const { visits } = await siege.withstands('squatters', { count: 400 }, 2500);
    // Newcomers get a place among four hundred that want one, each as likely as any of those; all of them get an answer.
    expect(visits.unanswered).toBe(0);
    expect(visits.refused).toBeLessThan(visits.count);
  });
});

describe('peers that take their time', () => {
  besieged(['--write-timeout', '2s', '--read-timeout', '2s', '--ping-interval', '2s']);

  it('200 that trickle frames of 10 MB hold up nobody else', async () => {
    const { visits } = await siege.withstands('tricklers', { count: 200, atOnceBytes: 1024 * 1024 }, 3000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('50 that never read what is broadcast hold up nobody else, and are left', async () => {
    siege.tell(64 * 1024);
    const { visits } = await siege.withstands('neverReaders', { count: 50 }, 4000);
    expect(visits).toMatchObject(nobodyInVain);
    expect(await siege.node.countOf('disconnected', ErrorCode.WriteTimeout)).toBe(50);
  });

  it('that send everything before they read anything get it sent', async () => {
    const options = { count: 8, messages: 768, messageBytes: 16_384 };
    const cutOff = () => siege.node.countOf('disconnected', ErrorCode.ResourceExhausted);
    const before = await cutOff();
    const { attackers, visits } = await siege.withstands('sendersFirst', options, 1000);
    expect(visits).toMatchObject(nobodyInVain);
    expect(attackers).toMatchObject({ sent: 8 * 768 });
    // Who holds most of the memory for two seconds, because it is slow to begin with its reading, may have been cut off.
    const { readers } = attackers as { readers: number };
    expect(readers).toBeGreaterThan(0);
    expect(readers).toBeGreaterThanOrEqual(8 - ((await cutOff()) - before));
  });

  it('50 whose lines are cut are found out', async () => {
    const { visits } = await siege.withstands('vanished', { count: 50 }, 3500);
    expect(visits).toMatchObject(nobodyInVain);
    expect(await siege.node.countOf('disconnected', ErrorCode.ReadTimeout)).toBeGreaterThanOrEqual(50);
  });

  it('50 that close only their own side are let go', async () => {
    const { attackers, visits } = await siege.withstands('halfClosed', { count: 50 }, 1000);
    expect(visits).toMatchObject(nobodyInVain);
    expect(attackers).toEqual({ peers: 50, ended: 50 });
  });
});

describe('a flood', () => {
  besieged();

  it.each([
    'pings',
    'pongs',
    'goodbyes',
    'tinyFrames',
    'nothings',
    'unknownTypes',
    'addresses',
    'deepMessages',
    'emptyPromises',
    'noise',
  ])('of %s drowns nobody', async (attack) => {
    const { visits } = await siege.withstands(attack, { count: 20 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of pings whose answers are not read drowns nobody', async () => {
    const { visits } = await siege.withstands('pings', { count: 20, isDeaf: true }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });
});

describe('connections that are reset', () => {
  besieged();

  it('at any moment of their lives are cleared away', async () => {
    siege.tell(8 * 1024);
    const { attackers, visits } = await siege.withstands('resets', { count: 40 }, 4000);
    expect(visits).toMatchObject(nobodyInVain);
    const { moments, of } = attackers as { moments: number; of: number };
    expect(moments).toBe(of);
  });
});
