/**
 * Owns the reading of configuration for commands: the file named by `--config`, then the merge. Main thread.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ConfigError } from '../../shared/errors.js';
import { type Host, type RawValues, resolveSettings, type Sources, thisHost } from './resolve.js';
import type { Settings } from './settings.js';

/** What {@link loadSettings} reads besides the sources themselves. */
export interface LoadInput extends Omit<Sources, 'file'> {
  /** Path of a TOML file. */
  readonly configFile?: string;
}

/**
 * Reads the configuration file, if one is named, and resolves all sources.
 * @throws ConfigError for an unreadable file (key `config`) or a wrong value (its key)
 */
export function loadSettings(input: LoadInput, host: Host = thisHost()): Settings {
  const { configFile, ...sources } = input;
  if (configFile === undefined) return resolveSettings(sources, host);
  const filePath = path.resolve(host.cwd, configFile);
  return resolveSettings({ ...sources, file: { path: filePath, values: readToml(filePath) } }, host);
}

function readToml(filePath: string): RawValues {
  let text: string;
  try {
    text = readFileSync(filePath, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError('config', `config is '${filePath}' (--config): must be a file that can be read (${code})`);
  }
  return parseConfigText(text, filePath);
}

/**
 * The values that a configuration file holds.
 * @throws ConfigError (key `config`) for what is no TOML
 */
export function parseConfigText(text: string, filePath: string): RawValues {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its first line is the reason; the lines after it quote the file.
    const reason = error.message.split('\n', 1)[0];
    throw new ConfigError('config', `config is '${filePath}' (--config): must be TOML; line ${error.line}: ${reason}`);
  }
}
