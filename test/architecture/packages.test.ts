/** What packages of others may do here: which they are, that they are pinned, and whose scripts run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.js';

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const packagesOf = (lockFile: string) =>
  Object.entries((JSON.parse(read(lockFile)) as { packages: Record<string, Locked> }).packages).filter(
    ([path]) => path !== '',
  );

describe('packages of others', () => {
  it.each(['package-lock.json', 'bench/libp2p/package-lock.json', 'bench/profile/package-lock.json'])(
    'are pinned by %s to one version and one content each',
    (lockFile) => {
      const loose = packagesOf(lockFile).filter(
        ([, { version, integrity }]) => !/^\d+\.\d+\.\d+/.test(version) || !/^sha512-/.test(integrity ?? ''),
      );
      expect(loose.map(([path]) => path)).toEqual([]);
    },
  );

  it('have install scripts only where package.json tells npm not to run them', () => {
    const scripted = packagesOf('package-lock.json').filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ''));
    expect(names.sort()).toEqual(Object.keys(manifest.allowScripts).sort());
    expect(Object.values(manifest.allowScripts)).toEqual(names.map(() => false));
  });

  it('that the node needs are each named in ARCHITECTURE.md with what it is for', () => {
    const [, section] = /^## Dependencies\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(read('ARCHITECTURE.md'))!;
    const missing = Object.keys(manifest.dependencies).filter((name) => !section.includes(name));
    expect(missing).toEqual([]);
  });
});
