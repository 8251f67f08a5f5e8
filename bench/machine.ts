/** What a bench ran on, so that figures can be judged. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { version } from '../src/main/version.js';

/** The commit of the clone that is run, with a `+` if it was changed; null for an installed package. */
function commit(): string | null {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    // A package inside another clone must not show that one's commit.
    if (git('rev-parse', '--show-cdup') !== '') return null;
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : '+');
  } catch {
    return null;
  }
}

export function machine(): Record<string, string | number> {
  const [first] = cpus();
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()}`,
    node: process.version,
    version,
    commit: commit() ?? 'not a clone',
  };
}
