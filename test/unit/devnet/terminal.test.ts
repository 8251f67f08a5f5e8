import { describe, expect, it } from 'vitest';
import { LiveDisplay, liveLines } from '../../../src/main/devnet/display.js';
import type { NodeReport } from '../../../src/main/devnet/reports.js';

const report: NodeReport = {
  peers: 3,
  sent: 12_345,
  received: 54_321,
  corrupted: 0,
  origins: [{ origin: 1, unique: 90, end: 97, duplicated: 0, outOfOrder: 0 }],
  latency: [80, 5],
  bytesIn: 2048,
  bytesOut: 100,
  sendsSkipped: 0,
  relayed: 0,
  duplicates: 0,
  handlerErrors: 0,
  workerRestarts: 0,
};

function frame(nodes: number) {
  const node = { name: '1 abcdefgh', preset: 'high-traffic', report, sentPerSecond: 100, receivedPerSecond: 300 };
  return { phase: 'running', seconds: 3, nodes: Array.from({ length: nodes }, () => node) };
}

describe('a devnet on a small terminal', () => {
  it('loses columns, never a part of a figure, and always shows what is missing', () => {
    const whole = new Set(liveLines(frame(1), 1000)[2]!.split(/\s{2,}/));
    expect(whole).toContain('2.0 KiB');
    for (let columns = 30; columns <= 120; columns++) {
      const [, head, node] = liveLines(frame(1), columns);
      expect(Math.max(head!.length, node!.length)).toBeLessThanOrEqual(columns);
      expect(node!.split(/\s{2,}/).filter((cell) => !whole.has(cell))).toEqual([]);
      expect(head).toMatch(/\bmissing\b/);
      expect(node!.split(/\s{2,}/)).toContain('7');
    }
  });

  it('shows as many nodes as fit without scrolling, and says how many more there are', () => {
    const lines = liveLines(frame(32), 120, 24);
    expect(lines).toHaveLength(23);
    expect(lines.at(-1)).toBe('and 12 more');
    expect(liveLines(frame(4), 120, 24)).toHaveLength(6);
  });

  it('gives the cursor back once, also when the process ends without closing it', () => {
    const before = process.listenerCount('exit');
    const written: string[] = [];
    const open = () => new LiveDisplay({ isTTY: true, columns: 80, rows: 24, write: (text) => written.push(text) });
    open().close();
    expect(written).toEqual(['\x1b[?25l', '\x1b[?25h']);
    expect(process.listenerCount('exit')).toBe(before);
    open();
    const [onExit] = process.listeners('exit').slice(-1);
    onExit!(130);
    process.off('exit', onExit!);
    expect(written.at(-1)).toBe('\x1b[?25h');
  });
});
