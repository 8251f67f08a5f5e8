import { describe, expect, it } from 'vitest';
import { LiveSettings } from '../../../src/main/config/live-settings.js';
import { resolveSettings } from '../../../src/main/config/resolve.js';
import type { NodeOptions, Settings } from '../../../src/main/config/settings.js';
import { geometryOf } from '../../../src/main/geometry.js';
import { arenaBytes } from '../../../src/shared/memory/arena-layout.js';

const host = { cwd: '/work', homeDir: '/home/paw', cores: 4, stdoutIsTerminal: false };

function settingsOf(library: NodeOptions): Settings {
  return resolveSettings({ library: { chainId: 'paw-test', ...library } }, host);
}

/** Settings of a node that runs with these options. */
function running(options: NodeOptions): LiveSettings {
  const settings = settingsOf(options);
  const geometry = geometryOf(settings);
  return new LiveSettings(settings, { slots: geometry.slots, arenaBytes: arenaBytes(geometry) });
}

const keys = (changes: readonly { key: string }[]) => changes.map(({ key }) => key);

describe('the settings of a running node', () => {
  it('take up what can change, in the object that everybody reads from, and tell it as a file would say it', () => {
    const live = running({ readTimeout: '30s' });
    const { current } = live;
    const result = live.reload(settingsOf({ readTimeout: '20s', maxPeers: 50, relay: ['tx=4'] }));
    expect(result.needsRestart).toEqual([]);
    expect(result.applied).toEqual([
      { key: 'maxPeers', from: 100, to: 50 },
      { key: 'relay', from: [], to: ['tx=4'] },
      { key: 'readTimeout', from: '30s', to: '20s' },
    ]);
    expect(current).toMatchObject({ readTimeoutMs: 20_000, maxPeers: 50, relay: [{ type: 'tx', fanout: 4 }] });
    expect(live.reload(settingsOf({ readTimeout: '20s', maxPeers: 50, relay: ['tx=4'] })).applied).toEqual([]);
  });

  it('leave alone what needs a restart, and name it', () => {
    const live = running({});
    const other = {
      chainId: 'other',
      listen: '127.0.0.1:1',
      workers: 1,
      gossipCache: '8MiB',
      logLevel: 'warn',
    } as const;
    const { applied, needsRestart } = live.reload(settingsOf(other));
    expect(keys(applied)).toEqual(['logLevel']);
    expect(keys(needsRestart)).toEqual(['chainId', 'listen', 'gossipCache', 'workers']);
    expect(live.current).toMatchObject({ chainId: 'paw-test', workers: 3, logLevel: 'warn' });
  });

  it('have as many places as were laid out: limits beyond them wait together, and so do too many named peers', () => {
    const named = (count: number) => Array.from({ length: count }, (_, i) => `peer-${i}`);
    const live = running({ maxPeers: 20 });
    const { applied, needsRestart } = live.reload(
      settingsOf({ maxPeers: 200, maxInbound: 150, unconditionalPeerIds: named(3), readTimeout: '40s' }),
    );
    expect(keys(applied)).toEqual(['unconditionalPeerIds', 'readTimeout']);
    expect(keys(needsRestart)).toEqual(['maxPeers', 'maxInbound', 'maxOutbound']);
    const more = live.reload(settingsOf({ maxPeers: 20, unconditionalPeerIds: named(17) }));
    expect(keys(more.needsRestart)).toEqual(['unconditionalPeerIds']);
    expect(live.reload(settingsOf({ maxPeers: 20, unconditionalPeerIds: named(16) })).needsRestart).toEqual([]);
    expect(live.reload(settingsOf({ maxPeers: 10, unconditionalPeerIds: named(26) })).needsRestart).toEqual([]);
  });

  it('have a preset only once all is in force that it sets; what can be is, and the rest is named with it', () => {
    const larger = running({}).reload(settingsOf({ preset: 'high-traffic' }));
    expect(keys(larger.applied)).toEqual([]);
    expect(keys(larger.needsRestart)).toEqual(['preset', 'maxPeers', 'maxInbound', 'maxOutbound']);
    const live = running({});
    const smaller = live.reload(settingsOf({ preset: 'low-resource' }));
    expect(keys(smaller.applied)).toEqual(['maxPeers', 'maxInbound', 'maxOutbound', 'receiveRate', 'sendRate']);
    expect(keys(smaller.needsRestart).sort()).toEqual(['gossipCache', 'preset', 'ringSize']);
    expect(live.current.preset).toBe('default');
    const back = live.reload(settingsOf({}));
    expect([keys(back.applied).length, back.needsRestart]).toEqual([5, []]);
    const same = { maxPeers: 100, maxInbound: 50, maxOutbound: 50 };
    expect(keys(running({}).reload(settingsOf({ preset: 'high-traffic', ...same })).applied)).toEqual(['preset']);
  });

  it('change in nothing if something is wrong', () => {
    const live = running({ memoryBudget: '512MiB' });
    const before = { ...live.current };
    const reload = (options: NodeOptions) => () => live.reload(settingsOf({ logLevel: 'error', ...options }));
    expect(reload({ memoryBudget: '64MiB' })).toThrow(/^memoryBudget is '64MiB' \(reload\): must be large enough/);
    expect(reload({ maxPeers: 10_000, ringSize: '1MiB' })).toThrow(/^memoryBudget is '512MiB' \(settings\): must be/);
    expect(live.current).toEqual(before);
  });

  it('keep the token that the admin address can not do without', () => {
    const live = running({ admin: '0.0.0.0:26660', adminToken: 'old' });
    expect(keys(live.reload(settingsOf({ admin: '0.0.0.0:26660', adminToken: 'new' })).applied)).toEqual([
      'adminToken',
    ]);
    const { applied, needsRestart } = live.reload(settingsOf({ admin: '127.0.0.1:26660' }));
    expect(applied).toEqual([]);
    expect(needsRestart).toEqual([
      { key: 'admin', from: '0.0.0.0:26660', to: '127.0.0.1:26660' },
      { key: 'adminToken', from: 'set, not shown', to: null },
    ]);
    expect(live.current.adminToken).toBe('new');
  });
});
