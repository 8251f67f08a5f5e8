import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { root } from '../architecture/source-files.js';

it('a start that fails leaves no handle, no thread and no lock: another follows, and the process ends by itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'paw-fail-'));
  const library = pathToFileURL(join(root, 'dist/src/main/index.js')).href;
  writeFileSync(join(folder, 'broken.mjs'), "throw new Error('at import');");
  const script = `
    import { createNode } from ${JSON.stringify(library)};
    const options = { chainId: 'x', admin: 'off', logLevel: 'silent', workers: 2, listen: '127.0.0.1:0', dataDir: 'd' };
    const codeOf = (more) => createNode({ ...options, ...more }).then(() => 'started', (error) => error.code);
    console.log(await codeOf({ handlers: [new URL('broken.mjs', import.meta.url)] }));
    console.log(await codeOf({ handlers: ['missing.mjs'] }));
    const node = await createNode(options);
    console.log(await codeOf({}));
    console.log(await codeOf({ listen: node.listen, dataDir: 'e' }));
    console.log(await codeOf({ admin: node.listen, dataDir: 'e' }));
    await node.close();`;
  writeFileSync(join(folder, 'script.mjs'), script);
  const { stdout } = await promisify(execFile)(process.execPath, ['script.mjs'], { cwd: folder, timeout: 20_000 });
  expect(stdout.trim().split('\n')).toEqual([
    'ERR_PAW_HANDLER_MODULE',
    'ERR_PAW_HANDLER_MODULE',
    'ERR_PAW_DATA_DIR',
    'ERR_PAW_LISTEN',
    'ERR_PAW_LISTEN',
  ]);
  rmSync(folder, { recursive: true });
});
