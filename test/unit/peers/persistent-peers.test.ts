import { describe, expect, it } from 'vitest';
import { type PersistentPeer, PersistentPeers } from '../../../src/main/peers/persistent-peers.js';

const hub = { id: 'hub', host: '10.0.0.1', port: 26656 };
const nameless = { id: null, host: '10.0.0.2', port: 26656 };

function dialled(peers: PersistentPeers, nowMs: number): PersistentPeer[] {
  const due = peers.due(nowMs);
  for (const peer of due) peer.phase = 'dialling';
  return due;
}

describe('persistent peers', () => {
  it('are all due at start, and not again while they are dialled or connected', () => {
    const peers = new PersistentPeers({ persistentPeers: [hub, nameless], backoffJitter: 0 }, () => 0);
    const [first, second] = dialled(peers, 0);
    expect([first.address, second.address]).toEqual([hub, nameless]);
    first.phase = 'connected';
    expect(peers.due(1e9)).toEqual([]);
  });

  it('are known by the ID and the address that the operator named, and not by one of them alone', () => {
    const peers = new PersistentPeers({ persistentPeers: [hub, nameless], backoffJitter: 0 }, () => 0);
    expect(peers.vouchesFor('hub', '10.0.0.1')).toBe(true);
    expect(peers.vouchesFor('hub', '10.0.0.2')).toBe(false);
    expect(peers.vouchesFor('other', '10.0.0.1')).toBe(false);
    expect(peers.vouchesFor(null, '10.0.0.2')).toBe(false);
  });

  it('are dialled for ever, ever more rarely', () => {
    const peers = new PersistentPeers({ persistentPeers: [hub], backoffJitter: 0 }, () => 0);
    let nowMs = 0;
    const waits: number[] = [];
    for (let attempt = 0; attempt < 1000; attempt++) {
      const [peer] = dialled(peers, nowMs);
      peers.ended(peer, nowMs, 0, 0);
      expect(peers.due(peer.nextDialMs - 1)).toEqual([]);
      waits.push(peer.nextDialMs - nowMs);
      nowMs = peer.nextDialMs;
    }
    expect(waits.slice(0, 4)).toEqual([2000, 4000, 8000, 16_000]);
    expect(waits.at(-1)).toBe(600_000);
  });

  it.each([
    ['stayed up for a minute', 60_000, 0, 2000],
    ['delivered a frame', 10, 1, 2000],
    ['merely came about', 59_999, 0, 32_000],
  ])('whose connection %s begin again or not', (_, upMs, frames, waitMs) => {
    const peers = new PersistentPeers({ persistentPeers: [hub], backoffJitter: 0 }, () => 0);
    const [peer] = peers.due(0);
    for (let failed = 0; failed < 4; failed++) peers.ended(peer, 0, 0, 0);
    peers.ended(peer, 100, upMs, frames);
    expect(peer.nextDialMs).toBe(100 + waitMs);
  });

  it('spread their dials by the jitter', () => {
    const peers = new PersistentPeers({ persistentPeers: [hub], backoffJitter: 0.2 }, () => 0.5);
    const [peer] = peers.due(0);
    peers.ended(peer, 0, 0, 0);
    expect(peer.nextDialMs).toBe(2200);
  });
});
