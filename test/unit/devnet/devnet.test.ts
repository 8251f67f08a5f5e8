import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveDisplay, liveLines, plainLine } from '../../../src/main/devnet/display.js';
import { LatencyHistogram } from '../../../src/main/devnet/latency.js';
import { ArrivalLedger, SequenceSet, settle } from '../../../src/main/devnet/ledger.js';
import type { NodeReport } from '../../../src/main/devnet/reports.js';
import { summarize, summaryText } from '../../../src/main/devnet/summary.js';
import { generate, MAX_NODES, SEND_QUEUE_BYTES, SendWindow, windowBytes } from '../../../src/main/devnet/traffic.js';
import { decodeMessage, encodeMessage } from '../../../src/main/devnet/wire-message.js';

const report: NodeReport = {
  peers: 3,
  sent: 10,
  received: 20,
  corrupted: 0,
  origins: [],
  latency: [],
  bytesIn: 2048,
  bytesOut: 100,
  sendsSkipped: 0,
  relayed: 0,
  duplicates: 0,
  handlerErrors: 0,
  workerRestarts: 0,
};

describe('a devnet message', () => {
  it('reads back, and any flipped bit is found', () => {
    const body = fc.uint8Array({ maxLength: 300 });
    const header = fc.record({ origin: fc.nat(65_535), sequence: fc.nat(), sentMs: fc.double({ noNaN: true }) });
    fc.assert(
      fc.property(header, body, fc.nat(), (head, bytes, bit) => {
        const message = encodeMessage(head, bytes);
        expect(decodeMessage(message)).toEqual(head);
        message[(bit >> 3) % message.length] ^= 1 << (bit & 7);
        expect(decodeMessage(message)).toBeNull();
      }),
    );
    expect(decodeMessage(Buffer.alloc(17))).toBeNull();
  });
});

describe('the ledger', () => {
  it('counts every number once, however ranges overlap', () => {
    const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 30 });
    fc.assert(
      fc.property(ranges, (list) => {
        const set = new SequenceSet();
        const plain = new Set<number>();
        for (const [from, length] of list) {
          const before = plain.size;
          for (let n = from; n < from + length; n++) plain.add(n);
          expect(set.add(from, from + length)).toBe(plain.size - before);
        }
        const members = set.ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));
        expect(members).toEqual([...plain].sort((a, b) => a - b));
        expect(set.size).toBe(plain.size);
      }),
    );
  });

  it('tells what is missing, doubled and late, whichever worker it came through', () => {
    const ledger = new ArrivalLedger();
    ledger.fold(0, [1, 0, 5, 1, 7, 9]);
    ledger.fold(1, [1, 3, 5]);
    ledger.fold(0, [1, 5, 6]);
    const settled = settle(
      new Map([
        [0, 4],
        [1, 12],
      ]),
      0,
      ledger.arrivals(),
    );
    expect(settled).toMatchObject({ expected: 12, arrived: 8, lost: 4, duplicated: 2, outOfOrder: 1, unexpected: 0 });
    expect(settled.gaps).toEqual([
      { origin: 1, from: 6, to: 7 },
      { origin: 1, from: 9, to: 12 },
    ]);
    expect(
      settle(
        new Map([
          [0, 4],
          [1, 6],
        ]),
        0,
        ledger.arrivals(),
      ),
    ).toMatchObject({ arrived: 6, lost: 0, unexpected: 2 });
  });
});

describe('the latency histogram', () => {
  it('is right to 10% at every percentile, and can be merged', () => {
    const [a, b] = [new LatencyHistogram(), new LatencyHistogram()];
    for (let i = 1; i <= 1000; i++) (i % 2 ? a : b).record(i / 10);
    a.merge(b.take());
    expect(b.percentileMs(0.5)).toBeNull();
    for (const share of [0.01, 0.5, 0.99]) {
      const right = share * 100;
      expect(a.percentileMs(share)).toBeGreaterThanOrEqual(right * 0.9);
      expect(a.percentileMs(share)).toBeLessThanOrEqual(right * 1.15);
    }
    expect(a.total).toBe(1000);
  });
});

describe('the generator', () => {
  /** Runs it on a clock of its own. */
  async function run(options: { ratePerSecond: number; durationMs: number; stopAtMs?: number; windowBytes?: number }) {
    let nowMs = 0;
    const types: string[] = [];
    const sent = { messages: 0, bytes: 0 };
    const world = {
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      random: () => 0.5,
      pause: async (ms: number) => {
        nowMs += Math.max(ms, 0.1);
      },
      send: async (type: string) => void types.push(type),
      isStopped: () => nowMs >= (options.stopAtMs ?? Number.POSITIVE_INFINITY),
    };
    const window = new SendWindow(options.windowBytes ?? Number.POSITIVE_INFINITY);
    await generate(world, { origin: 0, nodes: 4, ...options }, window, sent);
    return { types, sent, nowMs };
  }

  it('keeps the rate of its share, and sends a block every two seconds', async () => {
    const { types, sent } = await run({ ratePerSecond: 400, durationMs: 10_000 });
    expect(sent.messages).toBe(1000);
    expect(types.filter((type) => type === 'block')).toHaveLength(5);
  });

  it('stops when told, and does not send into a window that never opens', async () => {
    expect((await run({ ratePerSecond: 400, durationMs: 0, stopAtMs: 2000 })).sent.messages).toBeGreaterThan(190);
    const { sent, nowMs } = await run({ ratePerSecond: 400, durationMs: 3000, windowBytes: 1 });
    expect(sent.messages).toBe(1);
    expect(nowMs).toBeLessThan(4000);
  });

  it('never has more under way than the seed’s send queue holds', () => {
    for (let nodes = 2; nodes <= MAX_NODES; nodes++) {
      expect(windowBytes(nodes) * (nodes - 1)).toBeLessThan(SEND_QUEUE_BYTES);
    }
  });
});

describe('what a devnet shows', () => {
  const frame = {
    phase: 'running',
    seconds: 3.4,
    nodes: [
      { name: '1 abcdefgh', preset: 'high-traffic', report, sentPerSecond: 100.4, receivedPerSecond: 300 },
      { name: '2 ijklmnop', preset: 'default', report: null, sentPerSecond: 0, receivedPerSecond: 0 },
    ],
  };

  it('is a line a second where there is no terminal', () => {
    expect(plainLine(frame)).toBe('3 s running  peers 3/0  sent 10 (100/s)  got 20 (300/s)  p99 - ms\n');
    const written: string[] = [];
    const display = new LiveDisplay({ write: (text) => written.push(text) });
    for (const seconds of [3.1, 3.4, 3.9, 4.0]) display.show({ ...frame, seconds });
    display.close();
    expect(written).toHaveLength(2);
  });

  it('is a table that fits a terminal, redrawn in place, the cursor given back', () => {
    const lines = liveLines(frame, 60);
    expect(lines).toHaveLength(4);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    const written: string[] = [];
    const display = new LiveDisplay({ isTTY: true, columns: 100, write: (text) => written.push(text) });
    display.show(frame);
    display.show(frame);
    display.close();
    expect(written[0]).toBe('\x1b[?25l');
    expect(written[2].startsWith('\x1b[4A')).toBe(true);
    expect(written.at(-1)).toBe('\x1b[?25h');
  });
});

describe('the summary', () => {
  const outcome = (arrivals: [number, number, number][], corrupted = 0) => {
    const ledger = new ArrivalLedger();
    for (const [origin, from, to] of arrivals) ledger.fold(0, [origin, from, to]);
    return { nodeId: 'n', preset: 'default', sent: 10, report: { ...report, corrupted }, arrivals: ledger.arrivals() };
  };

  it('is OK only if everything arrived, once and intact, and nothing failed', () => {
    const whole = [outcome([[1, 0, 10]]), outcome([[0, 0, 10]])];
    expect(summarize(whole, 1, [])).toMatchObject({ ok: true, sent: 20, expected: 20, arrived: 20 });
    expect(summarize(whole, 1, ['node 1 ended with SIGKILL']).ok).toBe(false);
    expect(summarize([whole[0], outcome([[0, 0, 9]])], 1, [])).toMatchObject({ ok: false, lost: 1 });
    expect(
      summarize(
        [
          whole[0],
          outcome([
            [0, 0, 10],
            [0, 3, 4],
          ]),
        ],
        1,
        [],
      ),
    ).toMatchObject({ ok: false, duplicated: 1 });
    expect(summarize([whole[0], outcome([[0, 0, 10]], 2)], 1, [])).toMatchObject({ ok: false, corrupted: 2 });
    expect(summarize([whole[0], { ...whole[1], arrivals: null }], 1, [])).toMatchObject({ ok: false, lost: 10 });
  });

  it('ends with a verdict in one line, after what is missing', () => {
    const text = summaryText(summarize([outcome([[1, 0, 10]]), outcome([[0, 0, 9]])], 1, []));
    const lines = text.trimEnd().split('\n');
    expect(lines.at(-2)).toBe('node 2 misses 9..9 of node 1');
    expect(lines.at(-1)).toBe(
      'devnet: 2 nodes, 20 messages sent, 20 deliveries expected, 19 arrived, 1 lost, 0 duplicated, 0 corrupted: FAILED',
    );
  });
});
