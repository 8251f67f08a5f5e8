import { describe, expect, it } from 'vitest';
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
