import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/main/config/resolve.js';
import { PeerMemory } from '../../src/main/peer-memory.js';
import { systemWorld } from '../../src/main/world.js';
import { SurvivingStore } from '../simulation/surviving-store.js';

const DAY_MS = 24 * 3_600_000;

describe('the address book of a node', () => {
  it('forgets no address that the operator named or whose name led us there, and others under their IDs', () => {
    const settings = resolveSettings({
      library: { dataDir: '/nowhere', persistentPeers: ['val@8.8.4.4:26656', 'hub@hub.example:26656'] },
    });
    const { book } = new PeerMemory(new SurvivingStore(() => 0), settings, 'me', systemWorld());
    const nowMs = Date.now();
    const at = (id: string, ip: string) => ({ id, ip, port: 26656 });
    const told = [at('val', '8.8.4.4'), at('val', '8.9.4.4'), at('hub', '8.10.4.4'), at('hub', '8.11.4.4')];
    for (const one of told) book.add(one, { source: 'pex', fromIp: '9.9.9.9', fromPort: 1 }, nowMs, nowMs);
    book.good(told[2]!, 'persistent', nowMs);
    for (const one of told) for (let i = 0; i < 10; i++) book.failed(one, nowMs + 8 * DAY_MS);
    expect(book.list().map(({ id, ip }) => `${id}@${ip}`)).toEqual(['val@8.8.4.4', 'hub@8.10.4.4']);
  });
});
