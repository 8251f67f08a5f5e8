/** How the dashboard is served. That it works is shown in a browser, by test/e2e/dashboard.test.ts. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { AdminServer } from '../../../../src/main/admin/server.js';
import { root } from '../../../architecture/source-files.js';
import { call, startAdmin } from '../fake-node.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

test('the page, its style sheet and its icon come with their types and a policy that allows nothing from elsewhere', async () => {
  server = await startAdmin();
  for (const [path, type] of [
    ['/', 'text/html; charset=utf-8'],
    ['/dashboard/page.css', 'text/css; charset=utf-8'],
    ['/dashboard/uplot.css', 'text/css; charset=utf-8'],
    ['/dashboard/uplot.js', 'text/javascript; charset=utf-8'],
    ['/dashboard/icon.svg', 'image/svg+xml'],
  ]) {
    const { status, headers, text } = await call(server, path);
    expect([path, status, headers['content-type'], text.length > 100]).toEqual([path, 200, type, true]);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    });
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ]),
    );
    expect(policy.join()).not.toContain('unsafe');
  }
});

test('whoever has a file already is told so', async () => {
  server = await startAdmin();
  const { headers } = await call(server, '/');
  const again = await call(server, '/', { headers: { 'if-none-match': String(headers.etag) } });
  expect([again.status, again.text]).toEqual([304, '']);
  expect((await call(server, '/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
});

test('nothing else of the disk can be asked for', async () => {
  server = await startAdmin();
  for (const path of ['/dashboard/', '/dashboard/page.ts', '/dashboard/..%2fserver.ts', '/dashboard/../server.js']) {
    expect([path, (await call(server, path)).status]).toEqual([path, 404]);
  }
});

test('a node with a token shows the page only to who has it', async () => {
  server = await startAdmin({}, 'secret-token-of-16');
  for (const path of ['/', '/dashboard/page.css']) {
    expect((await call(server, path)).status).toBe(401);
    const headers = { authorization: 'Bearer secret-token-of-16' };
    expect((await call(server, path, { headers })).status).toBe(200);
  }
});

test('every module of the page is served', async () => {
  server = await startAdmin();
  const modules = readdirSync(join(root, 'src/main/admin/dashboard')).filter((name) => /^[^.]+\.ts$/.test(name));
  for (const name of modules) {
    const path = `/dashboard/${name.replace('.ts', '.js')}`;
    // The sources are not compiled where this test runs them: the file is in the table, and then not found.
    expect([path, (await call(server, path)).status]).toEqual([path, 500]);
  }
});
