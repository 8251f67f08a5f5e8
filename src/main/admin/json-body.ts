/**
 * Owns how the body of a call is read: JSON in UTF-8, nothing else. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { ConfigError } from '../../shared/errors.js';

/** Makes JSON the only body that there can be. One without a byte is no body, whatever its type. */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    try {
      done(null, bytes.length === 0 ? undefined : parse(bytes));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws ConfigError `body` */
function parse(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError('body', 'body is not UTF-8: must be a JSON object');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError('body', `body is no JSON: ${(error as Error).message}`);
  }
}
