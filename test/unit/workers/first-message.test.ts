import { describe, expect, it } from 'vitest';
import type { Handler, HandlerContext, HandlerModule, Message } from '../../../src/shared/handler.js';
import { Worker } from '../../../src/shared/memory/arena-layout.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Stage, type StageOptions } from './pipeline-stage.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function frames(count: number, from = 0, type = 'tx'): Buffer {
  const all = Array.from({ length: count }, (_, i) => encodeFrame(type, Buffer.alloc(600, from + i)));
  return Buffer.concat(all);
}

function rig(module: HandlerModule, options: StageOptions = {}) {
  const changes: unknown[] = [];
  const onPolicies = () => void changes.push(stage.registry.policies().tx.mode);
  const stage: Stage = new Stage(module, { ringBytes: 2048, isFoundOut: true, onPolicies, ...options });
  const mode = () => (stage.core.types.declare('tx', () => expect.fail('unknown')).route.queue ? 'queued' : 'inline');
  return { stage, changes, mode };
}

describe('a handler that does not say how it runs', () => {
  it('and returns no promise for its first message is inline from the second on, and holds no memory', async () => {
    const seen: number[] = [];
    const { stage, changes, mode } = rig({ tx: ({ payload }) => void seen.push(payload[599]) });
    const usedBytes = stage.budget.usedBytes;
    expect(mode()).toBe('queued');
    stage.arrive(0, frames(3));
    stage.turns();
    expect(seen).toEqual([0, 1, 2]);
    expect([mode(), changes]).toEqual(['inline', []]);
    await settled();
    expect(stage.arena.words[stage.arena.layout.worker(0) + Worker.QueuedMessages]).toBe(0);
    stage.core.spareMemory();
    expect(stage.budget.usedBytes).toBe(usedBytes);
  });

  it('and returns a promise keeps each message until that settles, in order, and is queued from then on', async () => {
    const seen: unknown[] = [];
    const work = async (message: Message, context: HandlerContext) => {
      const { payload } = message;
      await settled();
      seen.push([payload[0], payload[599], message.payload[300], message.peerId]);
      context.reply('ack', payload.subarray(0, 1));
    };
    // As a program would time or trace its handlers.
    const traced =
      (handler: Handler): Handler =>
      (message, context) =>
        handler(message, context);
    const { stage, changes, mode } = rig({ tx: traced(work) }, { slots: 2 });
    for (let n = 0; n < 20; n++) {
      stage.arrive(n % 2, frames(1, n));
      stage.turns();
    }
    while (seen.length < 20) await settled();
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => [n, n, n, `peer-${n % 2}`]));
    expect([mode(), changes]).toEqual(['queued', ['queued']]);
    stage.pipeline.flush();
    expect(stage.out().frames.map(([slot, , payload]) => [slot, payload[0]])).toEqual(
      Array.from({ length: 20 }, (_, n) => [n % 2, n]),
    );
    expect(stage.errors).toEqual([]);
  });

  it('is asked again with the next message if it throws at the first', () => {
    let calls = 0;
    const { stage, mode } = rig({
      tx: () => {
        if (++calls === 1) throw new Error('not yet');
      },
    });
    stage.arrive(0, frames(1));
    stage.turns();
    expect([mode(), stage.errors.length]).toEqual(['queued', 1]);
    return settled().then(() => {
      stage.arrive(0, frames(2));
      stage.turns();
      expect([mode(), stage.errors.length, calls]).toEqual(['inline', 1, 3]);
    });
  });

  it('handles what a worker that died has left in order before it is inline', async () => {
    const first: Handler = () => new Promise(() => undefined);
    const { stage, mode } = rig({ tx: first });
    stage.arrive(0, frames(3));
    stage.turns();
    const seen: number[] = [];
    stage.handlers = { tx: ({ payload }) => void seen.push(payload[0]) };
    expect(stage.takeOver().waiting).toBe(3);
    await settled();
    stage.arrive(0, frames(2, 3));
    stage.turns();
    await settled();
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    stage.arrive(0, frames(1, 5));
    stage.turns();
    await settled();
    expect([seen.at(-1), mode()]).toEqual([5, 'inline']);
  });
});

describe('an inline handler', () => {
  const gone = expect.objectContaining({ code: 'ERR_PAW_HANDLER' });

  it('that returns a promise has failed, and is not passed on', async () => {
    const handler: Handler = ({ payload }) => Promise.reject(new Error(`${payload.length}`));
    const { stage } = rig({ tx: { mode: 'inline', gossip: true, handler } });
    stage.arrive(0, frames(1));
    stage.turns();
    expect(stage.errors).toEqual([gone]);
    await settled();
    // Nor is its own error lost.
    expect(stage.errors).toEqual([gone, new Error('600')]);
    stage.pipeline.flush();
    expect(stage.out().frames).toEqual([]);
  });

  it('that goes on later has neither the message nor its peer, whoever is in hand by then', async () => {
    const late: unknown[] = [];
    const attempt = (what: () => unknown) => {
      try {
        late.push(what());
      } catch (error) {
        late.push(error);
      }
    };
    const { stage } = rig(
      {
        tx: {
          mode: 'inline',
          handler: (message, context) => {
            setImmediate(() => {
              attempt(() => message.payload);
              attempt(() => context.reply('ack', Buffer.of(1)));
              attempt(() => context.relay());
              late.push(message.peerId, message.payloadBytes);
            });
          },
        },
      },
      { slots: 2 },
    );
    stage.arrive(0, frames(1));
    stage.turns();
    await settled();
    stage.arrive(1, frames(1));
    stage.turns();
    expect(late).toEqual([gone, gone, gone, '', 0]);
  });
});
