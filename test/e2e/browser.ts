/** Drives the Chromium of this machine for tests, and keeps everything that a page complains about. */
import { execFileSync } from 'node:child_process';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach } from 'vitest';

let browser: Promise<Browser> | undefined;
const open: OpenPage[] = [];

afterEach(async () => {
  for (const { page } of open.splice(0)) await page.context().close();
});
afterAll(async () => (await browser)?.close());

function executable(): string {
  for (const name of ['chromium', 'chromium-browser']) {
    try {
      return execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {
      // Not under this name.
    }
  }
  throw new Error('the tests of the dashboard need Chromium: no chromium or chromium-browser is in PATH');
}

function launch(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath: executable(), args: isRoot ? ['--no-sandbox'] : [] });
}

export class OpenPage {
  readonly page: Page;
  /** Errors and warnings of the console, uncaught errors, and what the policy of the page forbade. */
  readonly complaints: string[] = [];
  /** Hosts that anything was asked of. */
  readonly hosts = new Set<string>();

  constructor(page: Page) {
    this.page = page;
    open.push(this);
    page.setDefaultTimeout(10_000);
    page.on('request', (request) => this.hosts.add(new URL(request.url()).host));
    page.on('pageerror', (error) => this.complaints.push(String(error.stack)));
    page.on('dialog', (dialog) => {
      this.complaints.push(`a script said ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      const { url } = message.location();
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(`${message.text()} ${url}`);
    });
  }
}

/** Opens the dashboard of the node whose admin address this is, and waits until it shows a sample. */
export async function openDashboard(admin: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  browser ??= launch();
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const opened = new OpenPage(await context.newPage());
  await opened.page.goto(`http://${admin}/`);
  await opened.page.locator('#connection[data-state=live]').waitFor();
  return opened;
}
