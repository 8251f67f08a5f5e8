/** The dashboard in a real browser, in front of real nodes. */
import type { Page } from 'playwright-core';
import { describe, expect, it, vi } from 'vitest';
import type { DoctorReport, HistoryEntry } from '../../src/main/api.js';
import { CHAIN_ID, portOf, until } from '../integration/support/nodes.js';
import { RawPeer } from '../integration/support/raw-peer.js';
import { openDashboard } from './browser.js';
import { Program, type Ready, startNodeCommand, tempFolder } from './program.js';

/** A browser, two nodes and the other tests share few cores. */
vi.setConfig({ testTimeout: 90_000 });

const manyPeers = ['--max-peers', '300', '--max-inbound', '300'];

/** Starts a node that raw peers of any loopback address may join. */
async function startNode(more: readonly string[] = []): Promise<Ready & { readonly program: Program }> {
  const { node, ready } = await startNodeCommand(['--chain-id', CHAIN_ID, '--non-strict-addresses', ...more]);
  return { ...ready, program: node };
}

async function get<T>(admin: string, path: string): Promise<T> {
  return (await (await fetch(`http://${admin}${path}`)).json()) as T;
}

const rowOf = (page: Page, id: string) => page.locator('#peers-table tbody tr').filter({ hasText: id });
const shownIds = (page: Page) => page.locator('#peers-table tbody th').allTextContents();
const dialogOf = (page: Page) => page.locator('dialog[open]');
const pressIn = (page: Page, name: string) => dialogOf(page).getByRole('button', { name, exact: true }).click();
const noticeOf = (page: Page, text: string) => page.locator('.notice').filter({ hasText: text }).first();

async function eventually<T>(read: () => Promise<T>, isRight: (value: T) => boolean, what: string): Promise<T> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    if (isRight(value)) return value;
    if (performance.now() > endMs) throw new Error(`waited for ${what}, found ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The rest is no fault of the page: a node may have no doctor. */
const faults = (complaints: readonly string[]) => complaints.filter((line) => !line.endsWith('/doctor'));

describe('the dashboard', () => {
  it('shows live numbers and charts that move with traffic, and asks nobody but its node for anything', async () => {
    const { admin, listen } = await startNode();
    const { page, complaints, hosts } = await openDashboard(admin);
    await page.locator('#peers-now').getByText('0', { exact: true }).waitFor();
    await page.locator('#messages-chart .value').first().getByText('0/s').waitFor();
    const picture = () =>
      page.locator('#messages-chart canvas').evaluate((canvas: { toDataURL(): string }) => canvas.toDataURL());
    const quiet = await picture();
    const peer = await RawPeer.join(portOf({ listen }), 'talker');
    const traffic = setInterval(() => peer.send('tx', Buffer.alloc(2048)), 5);
    try {
      await page.locator('#peers-note').getByText('1 in, 0 out').waitFor();
      const shownRate = async () => Number.parseFloat((await page.locator('#received-now').textContent()) ?? '');
      await eventually(shownRate, (rate) => rate > 50, 'a rate of messages');
      const bytesShown = await page.locator('#bytes-chart .value').first().textContent();
      expect(bytesShown).toMatch(/ KiB\/s$/);
      await eventually(picture, (now) => now !== quiet, 'another picture');
      await eventually(
        async () => (await rowOf(page, 'talker').locator('.bytesIn').textContent()) ?? '',
        (text) => text.endsWith('KiB/s'),
        'the rate of the peer',
      );
      await page.locator('#workers-body tr').first().waitFor();
      await page.locator('#log').getByText('talker from 127.0.0.1').waitFor();
    } finally {
      clearInterval(traffic);
    }
    peer.socket.destroy();
    await page.locator('#hour-body').getByText('disconnected').waitFor();
    await page.locator('#peers-empty').getByText('No peers are connected').waitFor();
    expect(faults(complaints)).toEqual([]);
    expect([...hosts]).toEqual([admin]);
  });

  it('sorts and filters its peers, and keeps focus, rows and scroll position over refreshes', async () => {
    const { admin, listen } = await startNode();
    for (const id of ['charlie', 'alpha', 'bravo']) await RawPeer.join(portOf({ listen }), id);
    const { page } = await openDashboard(admin);
    const ids = (expected: string) =>
      eventually(
        () => shownIds(page),
        (shown) => shown.join() === expected,
        expected,
      );
    await ids('charlie,alpha,bravo');
    const byId = page.getByRole('button', { name: 'Node ID' });
    await byId.click();
    await ids('alpha,bravo,charlie');
    expect(await page.locator('th[aria-sort=ascending]').textContent()).toBe('Node ID');
    await byId.click();
    await ids('charlie,bravo,alpha');
    expect(await page.locator('th[aria-sort=descending]').textContent()).toBe('Node ID');
    const filter = page.getByLabel('Filter peers by ID, address or state');
    await filter.fill('RAV');
    await ids('bravo');
    expect(await page.locator('#peers-count').textContent()).toBe('1 of 3 peers');
    await filter.fill('');
    await page.getByLabel('Direction').selectOption('outbound');
    await ids('');
    await page.locator('#peers-empty').getByText('No peer matches').waitFor();
    await page.getByLabel('Direction').selectOption('inbound');
    await ids('charlie,bravo,alpha');
    const button = page.getByRole('button', { name: 'Ban alpha' });
    await button.focus();
    await button.evaluate((element: { mark?: boolean }) => {
      element.mark = true;
    });
    await RawPeer.join(portOf({ listen }), 'aaron');
    await RawPeer.join(portOf({ listen }), 'zoe');
    await ids('zoe,charlie,bravo,alpha,aaron');
    expect(await button.evaluate((element: { mark?: boolean }) => element.mark)).toBe(true);
    expect(await page.locator(':focus').getAttribute('aria-label')).toBe('Ban alpha');
  });

  it('cuts a peer off that is banned there, with time and reason, and lets it back once the ban is lifted', async () => {
    const { admin, listen } = await startNode();
    const peer = await RawPeer.join(portOf({ listen }), 'rascal');
    const { page, complaints } = await openDashboard(admin);
    await rowOf(page, 'rascal').getByRole('button', { name: 'Ban' }).click();
    await dialogOf(page).getByText('This cuts off 1 connected peer.').waitFor();
    await pressIn(page, 'Cancel');
    await dialogOf(page).waitFor({ state: 'hidden' });
    expect([peer.closed, await get(admin, '/bans')]).toEqual([false, { bans: [] }]);
    await rowOf(page, 'rascal').getByRole('button', { name: 'Ban' }).click();
    await dialogOf(page).getByLabel('Whom').selectOption('id:rascal');
    await dialogOf(page).getByLabel('For').selectOption('own');
    await dialogOf(page).getByLabel('Time', { exact: true }).fill('soon');
    await dialogOf(page).getByLabel('Reason').fill('it rang and ran');
    await pressIn(page, 'Ban');
    await dialogOf(page).getByText("for is 'soon'").waitFor();
    expect(await get(admin, '/bans')).toEqual({ bans: [] });
    await dialogOf(page).getByLabel('Time', { exact: true }).fill('90m');
    await pressIn(page, 'Ban');
    await until(() => peer.ended || peer.closed, 'the end of the connection');
    await rowOf(page, 'rascal').waitFor({ state: 'detached' });
    const { bans } = await get<{ bans: { target: string; reason: string; since: string; until: string }[] }>(
      admin,
      '/bans',
    );
    expect(bans).toMatchObject([{ target: 'id:rascal', reason: 'it rang and ran' }]);
    expect(Date.parse(bans[0].until) - Date.parse(bans[0].since)).toBe(90 * 60_000);
    await page.locator('#bans-body').getByText('it rang and ran').waitFor();
    await page.getByRole('button', { name: 'Unban id:rascal' }).click();
    await pressIn(page, 'Cancel');
    expect(await get(admin, '/bans')).toMatchObject({ bans: [{ target: 'id:rascal' }] });
    await page.getByRole('button', { name: 'Unban id:rascal' }).click();
    await pressIn(page, 'Unban');
    await noticeOf(page, 'id:rascal is banned no more').waitFor();
    await page.locator('#bans-empty').waitFor();
    expect(await get(admin, '/bans')).toEqual({ bans: [] });
    await RawPeer.join(portOf({ listen }), 'rascal');
    await rowOf(page, 'rascal').waitFor();
    expect(faults(complaints).filter((line) => !line.includes('400 (Bad Request)'))).toEqual([]);
  });

  it('bans what is typed, and tells what is wrong with it', async () => {
    const { admin } = await startNode();
    const { page } = await openDashboard(admin);
    await page.getByRole('button', { name: 'Ban…' }).click();
    await dialogOf(page).getByLabel('Target').fill('not a target');
    await pressIn(page, 'Ban');
    await dialogOf(page).getByText("target is 'not a target'").waitFor();
    await dialogOf(page).getByLabel('Target').fill('203.0.113.0/24');
    await dialogOf(page).getByLabel('For').selectOption('forever');
    await pressIn(page, 'Ban');
    await page.locator('#bans-body').getByText('203.0.113.0/24').waitFor();
    expect(await get(admin, '/bans')).toMatchObject({ bans: [{ target: '203.0.113.0/24', until: null }] });
  });

  it('dials, shows why a dial failed, and disconnects; cancelling does nothing', async () => {
    const [one, two] = await Promise.all([startNode(['--no-pex']), startNode(['--no-pex'])]);
    const { page } = await openDashboard(one.admin);
    await page.getByRole('button', { name: 'Dial…' }).click();
    await dialogOf(page).getByLabel('Address').fill(two.listen);
    await page.keyboard.press('Escape');
    expect(await get(two.admin, '/peers')).toEqual({ peers: [] });
    await page.getByRole('button', { name: 'Dial…' }).click();
    await dialogOf(page).getByLabel('Address').fill('nowhere');
    await page.keyboard.press('Enter');
    await dialogOf(page).getByText("'nowhere'").waitFor();
    await dialogOf(page).getByLabel('Address').fill(two.listen);
    await page.keyboard.press('Enter');
    await noticeOf(page, `Connected to ${two.nodeId}`).waitFor();
    await rowOf(page, two.nodeId).locator('.direction').getByText('out').waitFor();
    const disconnect = page.getByRole('button', { name: `Disconnect ${two.nodeId}` });
    await disconnect.click();
    await pressIn(page, 'Cancel');
    expect(await get(two.admin, '/peers')).toMatchObject({ peers: [{ id: one.nodeId }] });
    await disconnect.click();
    await pressIn(page, 'Disconnect');
    await noticeOf(page, `Disconnected ${two.nodeId}`).waitFor();
    const { entries } = await get<{ entries: HistoryEntry[] }>(one.admin, '/history');
    expect(entries).toMatchObject(expect.arrayContaining([expect.objectContaining({ kind: 'disconnected' })]));
  });

  it('says plainly that it has no connection, and goes on by itself when the node is back on the same ports', async () => {
    const folder = tempFolder();
    const { program, admin, listen } = await startNode(['--data-dir', folder]);
    const before = await RawPeer.join(portOf({ listen }), 'before');
    for (let i = 0; i < 500; i++) before.send('tx', Buffer.alloc(100));
    const { page } = await openDashboard(admin);
    await rowOf(page, 'before').waitFor();
    program.child.kill('SIGKILL');
    await program.exit;
    await page.locator('#lost').getByText('No connection since').waitFor();
    expect(await page.locator('#connection').textContent()).toBe('no connection');
    const ports = ['--listen', listen, '--admin', admin, '--log-format', 'json'];
    const again = new Program(['node', ...ports, '--chain-id', CHAIN_ID, '--data-dir', folder]);
    await again.line('node ready');
    await page.locator('#connection[data-state=live]').waitFor();
    expect(await page.locator('#lost').isHidden()).toBe(true);
    await page.locator('#peers-empty').waitFor();
    await RawPeer.join(portOf({ listen }), 'afterwards');
    await rowOf(page, 'afterwards').waitFor();
    // Counters began anew: a rate worked out across that would be negative, or what the first run had counted.
    const rates = await page.locator('.chart .value').allTextContents();
    for (const text of rates) expect(text).toMatch(/^(–|\d[\d,.]*( ?[A-Za-z]+)?(\/s)?)$/);
    const received = await page.locator('#received-total').textContent();
    expect(Number.parseInt(received ?? '', 10)).toBeLessThan(100);
  });

  it('says of each table since when it is old, and why, while it can not be asked for', async () => {
    const { admin, listen } = await startNode();
    await RawPeer.join(portOf({ listen }), 'early');
    const { page } = await openDashboard(admin);
    await rowOf(page, 'early').waitFor();
    const refusal = { status: 401, json: { error: 'unauthorized', message: 'this address needs the admin token' } };
    await page.route('**/peers', (route) => route.fulfill(refusal));
    const note = page.locator('#peers-card .stale');
    await note.getByText(/^As of \d\d:\d\d:\d\d: this address needs the admin token\.$/).waitFor();
    expect(await rowOf(page, 'early').count()).toBe(1);
    expect(await page.locator('#bans-card .stale').isHidden()).toBe(true);
    await page.unroute('**/peers');
    await RawPeer.join(portOf({ listen }), 'late');
    await rowOf(page, 'late').waitFor();
    expect(await note.isHidden()).toBe(true);
    await page.route('**/addresses', (route) => route.abort());
    await page.locator('#addresses-details summary').click();
    await page.locator('#addresses-details .stale').getByText('Not known: the node does not answer.').waitFor();
  });

  it('works where a token is asked for: live, with the real doctor, and with actions; without the token there is no page', async () => {
    const { admin, listen } = await startNode(['--admin-token', 's3cret', '--seeds', '127.0.0.9:9']);
    const credentials = { httpCredentials: { username: 'anybody', password: 's3cret' } };
    const { page, complaints } = await openDashboard(admin, credentials);
    await RawPeer.join(portOf({ listen }), 'guest');
    await page.locator('#doctor-again').click();
    await page.locator('#doctor-findings').getByText('127.0.0.9:9').first().waitFor();
    await rowOf(page, 'guest').getByRole('button', { name: 'Disconnect' }).click();
    await pressIn(page, 'Disconnect');
    await page.locator('#peers-now').getByText('0', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
    expect((await fetch(`http://${admin}/`)).status).toBe(401);
  });

  it('shows what the doctor found, the worst first; a node without a doctor, and one that drains', async () => {
    const { admin } = await startNode();
    const { page } = await openDashboard(admin);
    const finding = { evidence: ['a fact'], remedy: null };
    const report: DoctorReport = {
      time: '2026-01-01T00:00:00.000Z',
      level: 'fail',
      findings: [
        { ...finding, check: 'fine', level: 'ok', summary: 'All is well.' },
        { ...finding, check: 'odd', level: 'warn', summary: 'Something is odd.' },
        {
          check: 'reachable',
          level: 'fail',
          summary: 'Nobody came.',
          evidence: ['0 inbound'],
          remedy: 'Open the port.',
        },
      ],
    };
    await page.route('**/doctor', (route) => route.fulfill({ json: report }));
    await page.getByRole('button', { name: 'Check again' }).click();
    await page.getByText('Nobody came.').waitFor();
    expect(await page.locator('.finding .check').allTextContents()).toEqual(['reachable', 'odd', 'fine']);
    expect(await page.locator('.finding').first().textContent()).toMatch(/fail[\s\S]*0 inbound[\s\S]*Open the port\./);
    expect(await page.locator('#doctor-state').textContent()).toBe('2 findings');
    await page.unroute('**/doctor');
    await page.route('**/doctor', (route) => route.fulfill({ status: 404, json: { error: 'not_found', message: '' } }));
    await page.getByRole('button', { name: 'Check again' }).click();
    await page.getByText('This node has no doctor.').waitFor();
    const status = await get<object>(admin, '/status');
    const draining = {
      since: new Date().toISOString(),
      until: new Date().toISOString(),
      connections: 3,
      queuedMessages: 2,
      queuedBytes: 2048,
    };
    const stats = JSON.stringify({ ...status, time: new Date().toISOString(), draining });
    await page.route('**/events', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: `event: stats\ndata: ${stats}\n\n` }),
    );
    await page.reload();
    await page.locator('#draining').getByText('3 connections, 2 messages, 2.0 KiB').waitFor();
  });

  it('shows history and addresses when they are opened, and dials an address from there', async () => {
    const [one, two] = await Promise.all([startNode(), startNode()]);
    await (await openDashboard(one.admin)).page.close();
    const dialled = await fetch(`http://${one.admin}/peers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ address: two.listen }),
    });
    expect(dialled.status).toBe(200);
    await fetch(`http://${one.admin}/peers/${two.nodeId}`, { method: 'DELETE' });
    const { page } = await openDashboard(one.admin);
    await page.getByText('History: ').click();
    await page.locator('#history-body').getByText(two.nodeId).first().waitFor();
    await page.getByText('Address book: ').click();
    const row = page.locator('#addresses-body tr').filter({ hasText: two.listen });
    await row.getByRole('button', { name: 'Dial' }).click();
    expect(await dialogOf(page).getByLabel('Address').inputValue()).toBe(`${two.nodeId}@${two.listen}`);
  });
});

describe('whoever uses the dashboard', () => {
  it('reaches everything with the keyboard alone, and comes back to where they were after a dialog', async () => {
    const { admin, listen } = await startNode();
    await RawPeer.join(portOf({ listen }), 'someone');
    const { page } = await openDashboard(admin);
    await rowOf(page, 'someone').waitFor();
    await page.evaluate(
      "fetch('bans', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ target: '203.0.113.9' }) })",
    );
    await page.getByRole('button', { name: 'Unban 203.0.113.9' }).waitFor();
    const reached = new Set<string>();
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab');
      const focused = page.locator(':focus');
      if ((await focused.count()) === 0) break;
      reached.add((await focused.getAttribute('aria-label')) ?? (await focused.textContent())?.trim() ?? '');
      reached.add((await focused.getAttribute('id')) ?? '');
    }
    const all = ['dial', 'ban', 'theme', 'doctor-again', 'peers-filter', 'peers-direction', 'log-pause', 'log'];
    for (const name of [
      ...all,
      'Skip the peers',
      'Node ID',
      'Wkr',
      'Disconnect someone',
      'Ban someone',
      'Unban 203.0.113.9',
    ]) {
      expect([...reached]).toContain(name);
    }
    expect([...reached].filter((name) => /^(History|Address book)/.test(name))).toHaveLength(2);
    await page.getByRole('button', { name: 'Disconnect someone' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('#disconnect-dialog :focus').getByText('Cancel').waitFor();
    await page.keyboard.press('Enter');
    await dialogOf(page).waitFor({ state: 'hidden' });
    expect(await page.locator(':focus').getAttribute('aria-label')).toBe('Disconnect someone');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await rowOf(page, 'someone').waitFor({ state: 'detached' });
    expect(await page.locator(':focus').count()).toBe(1);
  });

  it('has it on a phone with nothing wider than the screen, however long what peers say is', async () => {
    const { admin, listen } = await startNode();
    const id = 'W'.repeat(32);
    const peer = await RawPeer.join(portOf({ listen }), id);
    const gone = await RawPeer.join(portOf({ listen }), 'M'.repeat(32));
    gone.send('disconnect', Buffer.concat([Buffer.of(0x45), Buffer.from('w'.repeat(200))]));
    const { page } = await openDashboard(admin, { viewport: { width: 360, height: 740 }, hasTouch: true });
    await rowOf(page, id).waitFor();
    await fetch(`http://${admin}/bans`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ target: 'id:x', reason: 'W'.repeat(256) }),
    });
    await page.locator('#bans-body').getByText('id:x').waitFor();
    await page.getByText('History: ').click();
    await page.getByText('Address book: ').click();
    await page.locator('#history-body tr').first().waitFor();
    const widest = await page.evaluate<string[]>(`[...document.querySelectorAll('body, body *')]
      .filter((element) => element.getBoundingClientRect().right > 360.5 && element.closest('.unseen') === null)
      .map((element) => element.tagName + '.' + element.className + '#' + element.id)`);
    expect(widest).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await rowOf(page, id).getByRole('button', { name: 'Disconnect' }).tap();
    await pressIn(page, 'Disconnect');
    await until(() => peer.ended || peer.closed, 'the end of the connection');
  });

  it('has it light or dark as the system is, or as they chose, which is remembered', async () => {
    const { admin } = await startNode();
    const { page } = await openDashboard(admin, { colorScheme: 'dark' });
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const dark = await background();
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await background();
    expect(light).not.toBe(dark);
    const theme = page.getByRole('button', { name: 'Theme' });
    await theme.click();
    await theme.click();
    expect([await theme.textContent(), await background()]).toEqual(['Theme: dark', dark]);
    await page.reload();
    expect([await theme.textContent(), await background()]).toEqual(['Theme: dark', dark]);
  });
});

describe('a hostile peer', () => {
  it('gets nothing but text into the page by its ID, its reason, or a ban on it', async () => {
    const { admin, listen } = await startNode();
    const { page, complaints, hosts } = await openDashboard(admin);
    const script = '<img src=x onerror=alert(1)>';
    const markup = '"><script>alert(2)</script><svg onload=alert(3)>';
    const peer = await RawPeer.join(portOf({ listen }), script);
    await rowOf(page, script).waitFor();
    const parting = await RawPeer.join(portOf({ listen }), '..');
    await page.locator('#peers-table tbody th').getByText('..', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Disconnect ..' }).click();
    await pressIn(page, 'Disconnect');
    // A browser can't name it in a URL; what must not happen is that something else is asked for.
    await dialogOf(page).getByText('ban it instead').waitFor();
    await pressIn(page, 'Cancel');
    parting.send('disconnect', Buffer.concat([Buffer.of(0x45), Buffer.from(markup)]));
    await page.locator('#log').getByText(markup).waitFor();
    await page.getByRole('button', { name: `Ban ${script}` }).click();
    await dialogOf(page).getByLabel('Whom').selectOption(`id:${script}`);
    await dialogOf(page).getByLabel('Reason').fill(markup);
    await pressIn(page, 'Ban');
    await until(() => peer.ended || peer.closed, 'the end of the connection');
    await page.locator('#bans-body').getByText(`id:${script}`).waitFor();
    await page.locator('#bans-body').getByText(markup).waitFor();
    await page.getByText('History: ').click();
    await page.locator('#history-body').getByText(markup).first().waitFor();
    await page.getByRole('button', { name: `Unban id:${script}` }).click();
    await dialogOf(page).getByText(`id:${script}`).waitFor();
    await pressIn(page, 'Unban');
    await page.locator('#bans-empty').waitFor();
    expect(await page.locator('img, svg, body script').count()).toBe(0);
    expect(faults(complaints)).toEqual([]);
    expect([...hosts]).toEqual([admin]);
  });
});

describe('200 peers', () => {
  it('are shown at a cost that nobody notices, and rows and scroll position stay', async () => {
    const { admin, listen } = await startNode(manyPeers);
    const joined: RawPeer[] = [];
    for (let i = 0; i < 200; i++) {
      joined.push(await RawPeer.join(portOf({ listen }), `peer-${i}`, `127.${1 + (i % 20)}.${i}.1`));
    }
    const { page } = await openDashboard(admin);
    await page.locator('#peers-count').getByText('200 peers', { exact: true }).waitFor();
    const traffic = setInterval(() => {
      for (const peer of joined) peer.send('tx', Buffer.alloc(100));
    }, 200);
    try {
      const scroller = page.locator('section.peers');
      await scroller.evaluate((element: { scrollTop: number }) => {
        element.scrollTop = 2000;
      });
      const session = await page.context().newCDPSession(page);
      await session.send('Performance.enable');
      const spent = async () => {
        const { metrics } = await session.send('Performance.getMetrics');
        const value = (wanted: string) => metrics.find(({ name }) => name === wanted)!.value;
        const seconds = value('ScriptDuration') + value('LayoutDuration') + value('RecalcStyleDuration');
        return { seconds, layouts: value('LayoutCount'), atSeconds: value('Timestamp') };
      };
      const before = await spent();
      const refreshes = 3;
      for (let i = 0; i < refreshes; i++) {
        await page.waitForResponse((response) => response.url().endsWith('/peers'), { timeout: 30_000 });
      }
      const after = await spent();
      // One layout for each refresh and for each sample: nothing reads what it has just changed.
      const updates = refreshes + (after.atSeconds - before.atSeconds) + 2;
      expect(after.layouts - before.layouts).toBeLessThan(2 * updates);
      // 0.1 s was measured on two cores with ten processes waiting for them; the bound is for what grows beyond that.
      expect((after.seconds - before.seconds) / refreshes).toBeLessThan(0.5);
      expect(await page.locator('#peers-table tbody tr').count()).toBe(200);
      expect(await scroller.evaluate((element: { scrollTop: number }) => element.scrollTop)).toBe(2000);
    } finally {
      clearInterval(traffic);
    }
  });
});
