/**
 * Owns how settings print as a configuration file. Pure; main thread.
 */
import { stringify } from 'smol-toml';
import { fallbackText, type OptionKey, optionKeys, optionOf, type Parsed } from './options.js';
import { settingNames } from './setting-names.js';
import type { Settings } from './settings.js';

/** Settings as values of the options they came from, which know how they print. */
function asParsed(settings: Settings): Parsed {
  const parsed = Object.fromEntries(optionKeys.map((key) => [key, settings[settingNames[key]]]));
  return { ...parsed, admin: settings.admin ?? 'off', nonStrictAddresses: !settings.strictAddresses } as Parsed;
}

function line(key: OptionKey, value: unknown): string {
  const { kind, secret } = optionOf(key);
  const printable = kind.format(value);
  if (printable === null) return `# ${key}: ${fallbackText(key)}`;
  if (secret) return `# ${key}: set, not shown`;
  return stringify({ [key]: printable }).trimEnd();
}

/** Settings by key, as they would stand in a file; null for what is not set. A secret shows only that it is set. */
export function settingsByKey(settings: Settings): Record<OptionKey, unknown> {
  const parsed = asParsed(settings);
  const shown = (key: OptionKey) => {
    const { kind, secret } = optionOf(key);
    const printable = kind.format(parsed[key]);
    return secret && printable !== null ? 'set, not shown' : printable;
  };
  return Object.fromEntries(optionKeys.map((key) => [key, shown(key)])) as Record<OptionKey, unknown>;
}

/**
 * The effective configuration as TOML, every option on its own line. Read back as a file it gives the same settings;
 * only a secret is not printed.
 */
export function printSettings(settings: Settings): string {
  const parsed = asParsed(settings);
  return `${optionKeys.map((key) => line(key, parsed[key])).join('\n')}\n`;
}
