/**
 * Owns the settings of a running node: one object that everybody reads a value from when it is needed, and that a reload
 * changes in place, all at once. What it may change is marked in the table of options; the rest waits for a restart. Main
 * thread.
 */
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../../shared/errors.js';
import type { ReloadResult, SettingChange } from '../api.js';
import { arenaFits, type GrowthLimits, slotsNeeded } from '../geometry.js';
import { isLoopbackHost } from './loopback.js';
import { type OptionKey, optionKeys, optionOf } from './options.js';
import { settingsByKey } from './print.js';
import { settingNames } from './setting-names.js';
import type { Settings } from './settings.js';
import { formatSize } from './size.js';
import { wrongValue } from './wrong-value.js';

/** The keys that slots are laid out for. */
const slotKeys: readonly OptionKey[] = ['maxPeers', 'persistentPeers', 'unconditionalPeerIds'];

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
    const waiting = new Set(changes.map(({ key }) => key).filter((key) => !optionOf(key).live));
    if (slotsNeeded(next) > this.#limits.slots) for (const key of slotKeys) waiting.add(key);
    // The address stays, so the token that it can't do without stays as well.
    const { admin } = this.current;
    if (admin !== null && !isLoopbackHost(admin.host) && next.adminToken === null) waiting.add('adminToken');
    const applied = changes.filter(({ key }) => !waiting.has(key));
    const taken = Object.fromEntries(applied.map(({ key }) => [settingNames[key], next[settingNames[key]]]));
    const merged: Settings = { ...this.current, ...taken };
    requireTogether(merged);
    Object.assign(this.current, merged);
    return { applied, needsRestart: changes.filter(({ key }) => waiting.has(key)) };
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

/** Each was right with what else its file says; with what stays as it is until a restart it may not be. */
function requireTogether({ maxPeers, maxInbound, maxOutbound }: Settings): void {
  for (const [key, value] of Object.entries({ maxInbound, maxOutbound })) {
    if (value > maxPeers) {
      throw new ConfigError(
        key,
        `${key} is ${value} (reload): must be at most maxPeers, which stays ${maxPeers} until a restart`,
      );
    }
  }
}
