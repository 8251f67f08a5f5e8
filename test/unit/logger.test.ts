/** What log lines look like. */
import { describe, expect, test } from 'vitest';
import { createLogger, withContext } from '../../src/main/logger.js';

function capture(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line) };
}

const context = { nodeId: 'abc', chainId: 'paw-test' };

describe('a logger', () => {
  test('writes JSON lines with the context of its node', () => {
    const stream = capture();
    const logger = withContext(createLogger({ level: 'info', format: 'json', stream }), context);
    logger.info({ listen: '127.0.0.1:1' }, 'node ready');
    expect(JSON.parse(stream.lines[0]!)).toEqual({
      level: 30,
      time: expect.any(Number),
      ...context,
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
      const logger = createLogger({ level, format: 'json', stream });
      logger.debug('a');
      logger.info('b');
      logger.warn('c');
      logger.error('d');
      expect(stream.lines).toHaveLength(count);
    }
  });

  test('never writes a payload or a token', () => {
    const stream = capture();
    createLogger({ level: 'info', format: 'json', stream }).info(
      { payload: 'x', message: { payload: 'x' }, adminToken: 'x', bytes: 1 },
      'm',
    );
    expect(JSON.parse(stream.lines[0]!)).toEqual({
      level: 30,
      time: expect.any(Number),
      message: {},
      bytes: 1,
      msg: 'm',
    });
  });
});
