import { describe, expect, it } from 'vitest';
import { NodeError } from '../../../src/shared/errors.js';
import type { HandlerContext } from '../../../src/shared/handler.js';
import { RecordKind } from '../../../src/shared/memory/outbound-ring.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { decodeValue } from '../../../src/shared/wire/msgpack.js';
import { Stage } from './pipeline-stage.js';

const bytes = Buffer.of(1);
const vote = { codec: 'msgpack', handler: () => undefined } as const;

/** What comes of what a handler does: what it threw, if it did, and what it sent. */
function outcomeOf(act: (context: HandlerContext) => unknown) {
  const stage = new Stage({ go: (_, context) => void act(context), vote });
  stage.arrive(0, encodeFrame('go', bytes));
  stage.turns();
  const { frames, commands, data } = stage.out();
  return { errors: stage.errors, frames, commands, data };
}

describe('a handler that uses its context wrongly', () => {
  const huge = new Uint8Array(10 * 2 ** 20);

  it.each<[string, (context: HandlerContext) => unknown, RegExp, boolean]>([
    ['a type that is empty', (context) => context.reply('', bytes), /type is empty/, true],
    ['a type that is too long', (context) => context.send('a', 'x'.repeat(256), bytes), /256 bytes, at most 255/, true],
    ['a type with control characters', (context) => context.broadcast('a\n', bytes), /control characters/, true],
    ['a type that is no text', (context) => context.reply(7 as never, bytes), /./, true],
    ['a type of the protocol', (context) => context.reply('disconnect', bytes), /belongs to the protocol/, true],
    ['a value for a type without codec', (context) => context.reply('tx', { a: 1 }), /must be a Uint8Array/, false],
    ['a text as payload', (context) => context.broadcast('tx', 'text'), /must be a Uint8Array/, false],
    ['undefined in a value', (context) => context.reply('vote', { a: undefined }), /holds undefined/, true],
    ['an error in a value', (context) => context.send('a', 'vote', [new Error('x')]), /an instance of Error/, true],
    ['a value over 1 MiB', (context) => context.broadcast('vote', 'x'.repeat(2 ** 20)), /over 1048576 bytes/, true],
    ['a frame over 10 MB by reply', (context) => context.reply('tx', huge), /at most 10 MB/, false],
    ['a frame over 10 MB by send', (context) => context.send('a', 'tx', huge), /at most 10 MB/, false],
    ['a frame over 10 MB by broadcast', (context) => context.broadcast('tx', huge), /at most 10 MB/, false],
    ['an empty node ID', (context) => context.send('', 'tx', bytes), /"" is not a node ID/, true],
    ['no node ID', (context) => context.send(undefined as never, 'tx', bytes), /./, true],
    ['a node ID that is no text', (context) => context.send(Symbol('a') as never, 'tx', bytes), /./, true],
    ['a node ID that is too long', (context) => context.send('x'.repeat(33), 'tx', bytes), /1 to 32 bytes/, true],
    ['a node ID with a NUL', (context) => context.send('a\0b', 'tx', bytes), /is not a node ID/, true],
    ['a bad exclude', (context) => context.broadcast('tx', bytes, { exclude: ['a', ''] }), /is not a node ID/, true],
    ['a function to publish', (context) => context.publish(() => undefined), /holds a function/, true],
    ['a published value that ends nowhere', (context) => context.publish(endless()), /deeper than/, true],
  ])('with %s gets ERR_PAW_MESSAGE, and nothing is sent', (_, act, message, hasCause) => {
    const { errors, frames, commands } = outcomeOf(act);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(NodeError);
    expect(errors[0]).toMatchObject({ code: 'ERR_PAW_MESSAGE', message: expect.stringMatching(message) });
    expect((errors[0] as NodeError).cause !== undefined).toBe(hasCause);
    expect([frames, commands]).toEqual([[], []]);
  });

  it('can catch that and go on', () => {
    const { errors, frames } = outcomeOf((context) => {
      try {
        context.reply('vote', { a: undefined });
      } catch (error) {
        context.reply('no', Buffer.from((error as NodeError).code));
      }
    });
    expect([errors, frames]).toEqual([[], [[0, 'no', Buffer.from('ERR_PAW_MESSAGE')]]]);
  });

  it('is not taken for one that names the peers of the call before', () => {
    const { errors, commands } = outcomeOf((context) => {
      context.broadcast('tx', bytes, { exclude: ['a', 'b'] });
      context.send('a\0b', 'tx', bytes);
    });
    expect(errors).toMatchObject([{ code: 'ERR_PAW_MESSAGE' }]);
    expect(commands.map(([kind, ids]) => [kind, ids])).toEqual([[RecordKind.Broadcast, 2]]);
  });
});

it('a handler that uses its context well replies, sends, broadcasts and publishes', () => {
  const { errors, frames, commands, data } = outcomeOf((context) => {
    context.reply('tx', bytes);
    for (let i = 0; i < 2; i++) context.send('a', 'vote', { i });
    context.broadcast('tx', bytes, { exclude: 'a' });
    context.publish({ height: 7 });
  });
  expect(errors).toEqual([]);
  expect(frames).toEqual([[0, 'tx', bytes]]);
  const kinds = commands.map(([kind]) => kind);
  expect(kinds).toEqual([RecordKind.SendTo, RecordKind.Broadcast, RecordKind.Publish]);
  expect(data[0].toString('latin1', 0, 32).replace(/\0+$/, '')).toBe('a');
  expect(decodeValue(data[2])).toEqual({ ok: true, value: { height: 7 } });
});

function endless(): unknown {
  const value: unknown[] = [];
  value.push(value);
  return value;
}
