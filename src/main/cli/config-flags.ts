/**
 * Owns how options of the table become flags of a command, and how a command's own flags are validated in the same
 * words. Main thread.
 */
import { type Command, Option } from 'commander';
import type { Kind } from '../config/kinds.js';
import {
  environmentName,
  fallbackText,
  flagName,
  type OptionKey,
  optionKeys,
  optionOf,
  type ParsedOf,
} from '../config/options.js';
import { resolveSettings } from '../config/resolve.js';
import { wrongSecret, wrongValue } from '../config/wrong-value.js';

/**
 * A flag for one option of the table. Its raw text goes to `resolveSettings`, which also knows the default.
 * @param flagValue placeholder of the value in help, where a command takes less than the table says
 */
export function configFlag(key: OptionKey, flagValue = optionOf(key).flagValue): Option {
  const { doc, repeatable, negated } = optionOf(key);
  const text = negated ?? `${doc} (default: ${fallbackText(key)}${repeatable ? '; may be repeated' : ''})`;
  const value = flagValue === '' ? '' : ` <${flagValue}>`;
  // Commander would take a `--no-` flag that is not given for a yes; null says nothing.
  const flag = new Option(flagName(key) + value, text).default(negated === undefined ? undefined : null);
  // Not variadic, which would swallow what follows: one value a flag, collected.
  if (repeatable) flag.argParser((value: string, earlier: string[] = []) => [...earlier, value]);
  return flag;
}

/** Adds every option that has a flag. */
export function addConfigFlags(command: Command): void {
  for (const key of optionKeys) if (optionOf(key).flagValue !== null) command.addOption(configFlag(key));
}

/** The data directory of a command that has no other setting: flag, environment or default. */
export function dataDirOf(flag: string | undefined): string {
  const env = environmentName('dataDir');
  return resolveSettings({ flags: { dataDir: flag }, env: { [env]: process.env[env] } }).dataDir;
}

/**
 * One option's value for a command that talks to a node rather than being one: flag, environment or default.
 * @throws ConfigError that names option, value and what is allowed
 */
export function optionValue<K extends OptionKey>(key: K, flag: unknown): ParsedOf<K> {
  const { kind, fallback, secret } = optionOf(key);
  const variable = process.env[environmentName(key)];
  const raw = flag ?? variable ?? fallback;
  const result = kind.schema.safeParse(raw);
  if (result.success) return result.data as ParsedOf<K>;
  const source = flag === undefined ? environmentName(key) : flagName(key);
  throw secret ? wrongSecret(key, source, kind.allowed) : wrongValue(key, raw, source, kind.allowed);
}

/**
 * The value of a flag that belongs to no option.
 * @throws ConfigError that names flag, value and what is allowed
 */
export function parseFlag<T>(name: string, kind: Kind<T>, raw: unknown, source = `--${name}`): T {
  const result = kind.schema.safeParse(raw);
  if (!result.success) throw wrongValue(name, raw, source, kind.allowed);
  return result.data;
}
