import { describe, expect, it } from 'vitest';
import { facts, find, MIB, MINUTE_MS, settingsOf, told } from './facts.js';

describe('the clock', () => {
  const offsets = (...minutes: number[]) => ({ clock: { aheadMs: minutes.map((m) => m * MINUTE_MS) } });

  it('is wrong when the median of three netgroups is more than a minute off', () => {
    expect(told(find('clock', offsets(5, 6, 7)))).toMatch(
      /^warn\nThe clock of this machine is 6m 0s slow, according to 3 netgroups/,
    );
    expect(told(find('clock', offsets(-5, -6, -7, 0)))).toMatch(/^warn\n.*5m 30s fast/);
  });

  it('is right when the median is, whatever a few say', () => {
    expect(find('clock', offsets(0, 0.01, 0, 9999, -9999)).level).toBe('ok');
  });

  it('can’t be known from fewer than three, however loud they are', () => {
    expect(told(find('clock', offsets(9999, 9999)))).toMatch(/^unknown\n.*2 of the 3 netgroups needed/);
    expect(find('clock', offsets()).level).toBe('unknown');
  });

  it('was wrong in this run or the last when that ended in the future', () => {
    const finding = find('clock', { clock: { aheadMs: [], lastRunAheadMs: 90 * MINUTE_MS } });
    expect(told(finding)).toMatch(/^warn\nBy this clock the last run ended in the future, by 1h 30m 0s/);
    expect(find('clock', { clock: { lastRunAheadMs: 3000 } }).level).toBe('ok');
  });

  it('that was set while the node ran is in the evidence', () => {
    expect(told(find('clock', { clock: { setByMs: -2 * MINUTE_MS } }))).toContain('was set back by 2m 0s');
  });
});

describe('memory', () => {
  // 290 MiB of 512 are laid out at the start.
  const used = (share: number) => ({ status: { memory: { used: (290 + 222 * share) * MIB } } });

  it('is short from four fifths of what frames and queues share, and out at 95 percent', () => {
    expect(find('memory', used(0.79)).level).toBe('ok');
    expect(told(find('memory', used(0.81)))).toMatch(/^warn\n81% of the memory for frames and queues/);
    expect(find('memory', used(0.96)).level).toBe('fail');
  });

  it('is not short just because the rings take most of the budget', () => {
    const change = { fixedBytes: 500 * MIB, status: { memory: { used: 500 * MIB } } };
    expect(find('memory', change).level).toBe('ok');
  });

  it('that the process holds beside the budget is told', () => {
    expect(told(find('memory', { status: { memory: { rss: 1500 * MIB } } }))).toMatch(
      /^warn\nThe process holds 1\.5 GiB/,
    );
  });

  it('that waits for peers is in the evidence', () => {
    const peers = facts().peers.map((peer) => ({ ...peer, queuedBytes: 2 * MIB }));
    expect(find('memory', { peers }).evidence).toContain('8.0 MiB wait to be sent to peers');
  });
});

describe('file descriptors', () => {
  it('are too few for maxPeers', () => {
    const finding = find('files', { files: { limit: 256 } });
    expect(told(finding)).toMatch(/^warn\nThe limit of 256 file descriptors is too low for maxPeers 100/);
    expect(finding.remedy).toContain('ulimit -n');
  });

  it('are enough by default, and not for ten thousand peers', () => {
    expect(find('files', { files: { limit: 1024 } }).level).toBe('ok');
    expect(
      find('files', { files: { limit: 1024 }, settings: settingsOf({ maxPeers: 10_000, ringSize: '4KiB' }) }).level,
    ).toBe('warn');
  });

  it('are about to run out, or have', () => {
    expect(told(find('files', { files: { limit: 1000, open: 950 } }))).toMatch(/^fail\n950 of 1000/);
    expect(told(find('files', { files: { limit: null, open: null } }))).toMatch(/^fail\n.*run out/);
  });

  it('were short, if connections had to be closed for them', () => {
    const finding = find('files', { status: { connections: { refusedNoFiles: 12 } } });
    expect(told(finding)).toMatch(/^warn\n12 connections had to be closed unread/);
    expect(finding.remedy).toContain('LimitNOFILE');
  });

  it('are not known where the system does not tell', () => {
    expect(find('files', { files: null }).level).toBe('unknown');
  });
});

describe('the disk', () => {
  it('can’t be written, or is nearly full', () => {
    expect(told(find('disk', { disk: { fault: 'MDB_MAP_FULL' } }))).toMatch(
      /^fail\nThe store can't be written: MDB_MAP_FULL/,
    );
    expect(told(find('disk', { disk: { freeBytes: 3 * MIB } }))).toMatch(/^warn\n.*3\.0 MiB free/);
    expect(find('disk', { disk: { freeBytes: null } }).level).toBe('ok');
  });
});
