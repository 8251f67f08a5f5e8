import { describe, expect, it } from 'vitest';
import { Slot, Worker } from '../../../src/shared/memory/arena-layout.js';
import { Claim, claimOfBacklog } from '../../../src/shared/memory/memory-budget.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Stage } from './pipeline-stage.js';

describe('a flood of control messages', () => {
  it('that lies in a ring is not answered whole before the ping of another peer', () => {
    const stage: Stage = new Stage(
      {
        slow: () => {
          stage.clock.ms += 10;
        },
      },
      { slots: 3, ringBytes: 2 ** 16, outboundBytes: 2 ** 20 },
    );
    const ping = encodeFrame('ping', Buffer.alloc(8));
    const pings = Math.trunc(2 ** 16 / ping.length);
    // Seen as slow at once: the first frame of a type is timed by itself.
    stage.arrive(0, encodeFrame('slow', Buffer.alloc(0)));
    stage.arrive(1, Buffer.concat(Array(pings).fill(ping)));
    stage.arrive(2, Buffer.concat([encodeFrame('slow', Buffer.alloc(0)), ping]));
    stage.turns();
    const answered = stage.out().frames.map(([slot]) => slot);
    expect(pings).toBeGreaterThan(3000);
    expect(answered.filter((slot) => slot === 1)).toHaveLength(pings);
    expect(answered.filter((slot) => slot === 2)).toHaveLength(1);
    expect(answered.indexOf(2)).toBeLessThan(pings / 2);
  });

  it('whose answers nobody reads leaves memory for the answers of those who read theirs', () => {
    const stage = new Stage({ ask: (_, context) => void context.reply('answer', Buffer.alloc(8)) }, { slots: 2 });
    stage.arena.words[stage.arena.layout.slot(0) + Slot.SendQueued] = 2 ** 20;
    while (stage.budget.reserve(1024, claimOfBacklog(Claim.Control)));
    const frames = Buffer.concat([encodeFrame('ping', Buffer.alloc(8)), encodeFrame('ask', Buffer.alloc(8))]);
    for (const slot of [0, 1]) stage.arrive(slot, frames);
    stage.turns();
    expect(stage.out().frames.map(([slot, type]) => [slot, type])).toEqual([
      [1, 'pong'],
      [1, 'answer'],
    ]);
  });

  it('and whatever else is slow to pass over ends a look ahead in the time of a visit, which goes on behind it later', () => {
    const never = { mode: 'queued', queueLength: 1, handler: () => new Promise<void>(() => undefined) } as const;
    const stage = new Stage({ never }, { ringBytes: 2 ** 16 });
    const { clock } = stage;
    // Each look at the clock finds it so much later.
    clock.nowMs = () => {
      clock.ms += 0.3;
      return clock.ms;
    };
    const full = encodeFrame('never', Buffer.alloc(0));
    const other = encodeFrame('other', Buffer.alloc(0));
    const ping = encodeFrame('ping', Buffer.alloc(8));
    stage.arrive(0, Buffer.concat([full, full, full, ...Array(1000).fill(other), ping]));
    const passedOver = () => {
      stage.turns();
      return (stage.word(0, Slot.Scanned) - stage.word(0, Slot.ReadCursor) - full.length) / other.length + 1;
    };
    // Eight looks at the clock, the last of them 2.1 ms behind the first.
    expect(passedOver()).toBe(8 * 64);
    const heartbeatMs = stage.arena.words[stage.arena.layout.worker(0) + Worker.HeartbeatMs];
    expect(clock.ms - heartbeatMs).toBeLessThan(2);
    expect(stage.out().frames).toEqual([]);
    for (let i = 0; i < 5; i++) {
      stage.pipeline.retryWaiting();
      passedOver();
    }
    expect(stage.out().frames.map(([, type]) => type)).toEqual(['pong']);
  });

  it('of goodbyes is told once', () => {
    const stage = new Stage({}, { ringBytes: 2 ** 16 });
    stage.arrive(0, Buffer.concat(Array(1000).fill(encodeFrame('disconnect', Buffer.from([8, 0x62])))));
    stage.turns();
    const { commands, data } = stage.out();
    expect(commands.map(([kind]) => kind)).toEqual([RecordKind.Disconnect]);
    expect(data[0]).toEqual(Buffer.from([8, 0x62]));
    expect(stage.count('messagesReceived')).toBe(1000);
  });
});
