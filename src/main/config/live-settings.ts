/**
 * Owns the settings of a running node: one object that everybody reads a value from when it is needed, and that a reload
 * changes in place, all at once. What it may change is marked in the table of options; the rest waits for a restart. Main
 * thread.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ReloadResult, SettingChange } from '../api.js';
import { arenaFits, type GrowthLimits, geometryOf, slotsNeeded } from '../geometry.js';
import { isLoopbackHost } from './loopback.js';
import { type OptionKey, optionKeys, optionOf } from './options.js';
import { presets } from './presets.js';
import { settingsByKey } from './print.js';
import { settingNames } from './setting-names.js';
import type { Settings } from './settings.js';
import { formatSize } from './size.js';
import { wrongValue } from './wrong-value.js';

/** Limits that hang together: they change together or not at all. */
const limitKeys: readonly OptionKey[] = ['maxPeers', 'maxInbound', 'maxOutbound', 'minOutbound'];
/** Peers that need a place beside those that the limits count. */
const namedKeys: readonly OptionKey[] = ['persistentPeers', 'unconditionalPeerIds'];

export class LiveSettings {
  /** In force. The same object for as long as the node runs. */
  readonly current: Settings;
  readonly #limits: GrowthLimits;

  /** @param limits what was laid out at the start and can't grow */
  constructor(settings: Settings, limits: GrowthLimits) {
    this.current = { ...settings };
    this.#limits = limits;
  }

  /**
   * Takes up what can change while the node runs.
   * @throws ConfigError, with nothing changed, for what can't be
   */
  reload(next: Settings): ReloadResult {
    // A file that no node could start with is no better for one that runs.
    geometryOf(next);
    if (!arenaFits(this.#limits.arenaBytes, next.memoryBudgetBytes)) {
      const shown = formatSize(next.memoryBudgetBytes);
      const inUse = formatSize(this.#limits.arenaBytes);
      throw wrongValue(
        'memoryBudget',
        shown,
        'reload',
        `large enough for the ${inUse} that were laid out at the start`,
      );
    }
    const changes = this.#changes(next);
    const waiting = this.#waiting(next);
    if (this.#isPresetWaiting(next, changes, waiting)) waiting.add('preset');
    const applied = changes.filter(({ key }) => !waiting.has(key));
    const taken = Object.fromEntries(applied.map(({ key }) => [settingNames[key], next[settingNames[key]]]));
    Object.assign(this.current, taken);
    return { applied, needsRestart: changes.filter(({ key }) => waiting.has(key)) };
  }

  /** The keys that a restart would have to change. */
  #waiting(next: Settings): Set<OptionKey> {
    const { slots } = this.#limits;
    const waiting = new Set(optionKeys.filter((key) => !optionOf(key).live));
    const { admin, maxPeers, persistentPeers, unconditionalPeerIds } = this.current;
    const hasPlaces = slotsNeeded({ ...next, maxPeers: Math.min(maxPeers, next.maxPeers) }) <= slots;
    if (!hasPlaces) for (const key of namedKeys) waiting.add(key);
    const named = hasPlaces ? {} : { persistentPeers, unconditionalPeerIds };
    if (slotsNeeded({ ...next, ...named }) > slots) {
      for (const key of limitKeys) waiting.add(key);
    }
    // The address stays, so the token that it can't do without stays as well.
    if (admin !== null && !isLoopbackHost(admin.host) && next.adminToken === null) waiting.add('adminToken');
    return waiting;
  }

  /** A preset is in force once all is that it sets, or that the one before has set. */
  #isPresetWaiting(
    next: Settings,
    changes: readonly { readonly key: OptionKey }[],
    waiting: ReadonlySet<OptionKey>,
  ): boolean {
    const set = { ...presets[this.current.preset], ...presets[next.preset] };
    return changes.some(({ key }) => key in set && waiting.has(key));
  }

  #changes(next: Settings): (SettingChange & { readonly key: OptionKey })[] {
    const from = settingsByKey(this.current);
    const to = settingsByKey(next);
    const differs = (key: OptionKey) => {
      const name = settingNames[key];
      return !isDeepStrictEqual(this.current[name], next[name]);
    };
    return optionKeys.filter(differs).map((key) => ({ key, from: from[key], to: to[key] }));
  }
}
