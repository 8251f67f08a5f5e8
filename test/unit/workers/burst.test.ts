import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Stage } from './pipeline-stage.js';

/** Frames that a burst must tell from those of its own type. */
const strangers: Readonly<Record<string, Buffer>> = {
  other: encodeFrame('ty', Buffer.from('other')),
  longer: encodeFrame('txx', Buffer.from('longer')),
  shorter: encodeFrame('t', Buffer.from('shorter')),
  ping: encodeFrame('ping', Buffer.from('p')),
  // A length that leaves no room for its type, and one without a type.
  broken: Buffer.from([0, 0, 0, 3, 0, 9, 0x74]),
  typeless: Buffer.from([0, 0, 0, 2, 0, 0]),
  // The type's length begins with another byte.
  wide: Buffer.concat([Buffer.from([0, 0, 1, 4, 1, 2]), Buffer.alloc(258, 0x74)]),
};

describe('a run of frames of one type', () => {
  it('is handled frame by frame, in order, whatever stands between them and wherever it is cut', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 0, max: 900 }) },
      { weight: 1, arbitrary: fc.constantFrom(...Object.keys(strangers)) },
    );
    const plan = fc.record({
      steps: fc.array(step, { minLength: 20, maxLength: 150 }),
      pieces: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(plan, ({ steps, pieces }) => {
        const handled: string[] = [];
        const handler = (message: { type: string; payload: Buffer }) =>
          void handled.push(`${message.type} ${message.payload.toString('latin1')}`);
        const stage = new Stage({ tx: handler, ty: handler, txx: handler, t: handler });
        const expected: string[] = [];
        const frames = steps.map((one, i) => {
          if (typeof one === 'string') {
            if (one === 'other') expected.push('ty other');
            if (one === 'longer') expected.push('txx longer');
            if (one === 'shorter') expected.push('t shorter');
            return strangers[one]!;
          }
          const payload = Buffer.alloc(one, String(i));
          expected.push(`tx ${payload.toString('latin1')}`);
          return encodeFrame('tx', payload);
        });
        const bytes = Buffer.concat(frames);
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          at += stage.arrive(0, bytes.subarray(at, at + pieces[turn % pieces.length]!));
          stage.turns();
        }
        expect(handled).toEqual(expected);
        expect(stage.count('messagesReceived')).toBe(expected.length + steps.filter((one) => one === 'ping').length);
        const broken = steps.filter((one) => one === 'broken' || one === 'typeless' || one === 'wide').length;
        expect(stage.count('droppedInvalid')).toBe(broken);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a handler within a run', () => {
  it('that throws costs its own message only', () => {
    let calls = 0;
    const stage = new Stage({
      tx: () => {
        if (++calls === 20) throw new Error('once');
      },
    });
    for (let i = 0; i < 40; i++) stage.arrive(0, encodeFrame('tx', Buffer.of(i)));
    stage.turns();
    expect(calls).toBe(40);
    expect(stage.errors).toHaveLength(1);
  });

  it('sees the payload of its own message each time', () => {
    const seen: number[] = [];
    const stage = new Stage({ tx: (message) => void seen.push(message.payload[0]!, message.payloadBytes) });
    for (let i = 0; i < 40; i++) stage.arrive(0, encodeFrame('tx', Buffer.alloc(1 + (i % 3), i)));
    stage.turns();
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => [i, 1 + (i % 3)]).flat());
  });
});
