/** What log lines look like. */
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createLogger, NodeLog } from '../../src/main/logger.js';

function capture(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line) };
}

const context = { nodeId: 'abc', chainId: 'paw-test' };
const settings = { logLevel: 'info', logFormat: 'json', logFile: null } as const;

describe('a logger', () => {
  test('writes JSON lines', () => {
    const stream = capture();
    createLogger({ level: 'info', stream }).info({ listen: '127.0.0.1:1' }, 'node ready');
    expect(JSON.parse(stream.lines[0]!)).toEqual({
      level: 30,
      time: expect.any(Number),
      listen: '127.0.0.1:1',
      msg: 'node ready',
    });
  });

  test('leaves out what is below its level, and everything when silent', () => {
    for (const [level, count] of [
      ['debug', 4],
      ['info', 3],
      ['warn', 2],
      ['error', 1],
      ['silent', 0],
    ] as const) {
      const stream = capture();
      const logger = createLogger({ level, stream });
      logger.debug('a');
      logger.info('b');
      logger.warn('c');
      logger.error('d');
      expect(stream.lines).toHaveLength(count);
    }
  });

  test('never writes a payload or a token', () => {
    const stream = capture();
    const secret = { payload: 'x', payloadBase64: 'x', adminToken: 'x', authorization: 'x' };
    createLogger({ level: 'info', stream }).info({ ...secret, message: secret, bytes: 1 }, 'm');
    expect(JSON.parse(stream.lines[0]!)).toEqual({
      level: 30,
      time: expect.any(Number),
      message: {},
      bytes: 1,
      msg: 'm',
    });
  });
});

describe("a node's log", () => {
  test("goes to the application's logger with the context of the node, and leaves its level and its destination alone", async () => {
    const stream = capture();
    const given = pino({ level: 'warn' }, stream);
    const log = NodeLog.open(settings, context, given);
    log.setLevel('debug');
    log.logger.info('below');
    expect(log.reopen()).toBe(false);
    await log.close();
    log.logger.error('after');
    expect(stream.lines.map((line) => JSON.parse(line))).toMatchObject([
      { ...context, msg: 'there is no log file to reopen' },
      { ...context, msg: 'after' },
    ]);
    expect(given.level).toBe('warn');
  });

  test('that is silent starts no thread', async () => {
    const listeners = process.listenerCount('exit');
    const log = NodeLog.open({ ...settings, logLevel: 'silent' }, context, undefined);
    log.logger.error('unheard');
    expect(process.listenerCount('exit')).toBe(listeners);
    await log.close();
  });
});
