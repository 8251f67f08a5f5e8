import { describe, expect, it } from 'vitest';
import { Siege } from './support/siege.js';

const nobodyInVain = { refused: 0, unanswered: 0 };

describe('a node of which nobody wants anything', () => {
  it('is what the others are to be compared with', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('nobody', {}, 1500);
    expect(visits).toMatchObject(nobodyInVain);
  });
});

describe('a crowd at the door', () => {
  it('of 500 that never finish their handshakes keeps nobody out', async () => {
    const siege = await Siege.begin(['--handshake-timeout', '2s']);
    const { visits } = await siege.withstands('slowLoris', { count: 500 }, 4000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of one address that connects and goes keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('connects', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of one address that shakes hands under ever new names keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('handshakes', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('of a thousand addresses that shake hands under ever new names keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('handshakes', { count: 50, hosts: 1000 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that crawls from one address keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('crawls', { count: 50, hosts: 1 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that crawls from ten thousand addresses keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('crawls', { count: 50, hosts: 10_000 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });

  it('that takes all places does not take the place of who was there before', async () => {
    const siege = await Siege.begin();
    await siege.withstands('squatters', { count: 400 }, 3000);
  });
});

describe('peers that take their time', () => {
  it('200 that trickle frames of 10 MB hold up nobody else', async () => {
    const siege = await Siege.begin();
    await siege.withstands('tricklers', { count: 200, atOnceBytes: 1024 * 1024 }, 3000);
  });

  it('50 that never read what is broadcast hold up nobody else, and go', async () => {
    const siege = await Siege.begin(['--write-timeout', '2s']);
    siege.tell(64 * 1024);
    await siege.withstands('neverReaders', { count: 50 }, 4000);
  });

  it('that send everything before they read anything get it sent', async () => {
    const siege = await Siege.begin();
    const { attackers } = await siege.withstands(
      'sendersFirst',
      { count: 8, messages: 1024, messageBytes: 16_384 },
      2000,
    );
    expect(attackers).toMatchObject({ peers: 8, sent: 8192 });
  });

  it('50 whose lines are cut are found out', async () => {
    const siege = await Siege.begin(['--read-timeout', '1s', '--ping-interval', '1s']);
    await siege.withstands('vanished', { count: 50 }, 2000);
  });

  it('50 that close only their own side are let go', async () => {
    const siege = await Siege.begin();
    const { attackers } = await siege.withstands('halfClosed', { count: 50 }, 1000);
    expect(attackers).toEqual({ peers: 50, ended: 50 });
  });
});

describe('a flood', () => {
  it.each([
    ['pings', false],
    ['pings', true],
    ['tinyFrames', false],
    ['nothings', false],
    ['unknownTypes', false],
    ['goodbyes', false],
    ['addresses', false],
    ['deepMessages', false],
    ['emptyPromises', false],
    ['noise', false],
  ] as const)('of %s drowns nobody (without reading: %s)', async (attack, isDeaf) => {
    const siege = await Siege.begin();
    await siege.withstands(attack, { count: 20, isDeaf }, 2000);
  });
});

describe('connections that are reset', () => {
  it('at any moment of their lives are cleared away', async () => {
    const siege = await Siege.begin();
    siege.tell(8 * 1024);
    const { attackers } = await siege.withstands('resets', { count: 40 }, 4000);
    const { moments, of } = attackers as { moments: number; of: number };
    expect(moments).toBe(of);
  });
});

describe('who is not who they say', () => {
  it('gets neither the place of a peer nor that of the node', async () => {
    const siege = await Siege.begin();
    const ids = [Siege.goodPeerId, siege.nodeId];
    const { attackers } = await siege.withstands('thieves', { count: 20, ids }, 2000);
    // DuplicateConnection and SelfConnection.
    expect(Object.keys((attackers as { answers: object }).answers).sort()).toEqual(['64', '65']);
  });

  it('and shakes no hands at all keeps nobody out', async () => {
    const siege = await Siege.begin();
    const { visits } = await siege.withstands('strangers', { count: 50 }, 2000);
    expect(visits).toMatchObject(nobodyInVain);
  });
});
