/** Where the bytes of a connection go before it is anybody's. */
import { describe, expect, it } from 'vitest';
import { Connection } from '../../../src/main/net/connection.js';
import { HANDSHAKE_BYTES } from '../../../src/shared/limits.js';

function inbound() {
  const whole: number[] = [];
  const nothing = () => undefined;
  const events = { begun: nothing, arrived: nothing, ended: nothing, closed: nothing };
  const handshake = (_: Connection, bytes: Uint8Array) => void whole.push(bytes.length);
  return { connection: new Connection('inbound', { ...events, handshake }, () => 1000), whole };
}

describe('a connection that has no place yet', () => {
  it('is read no further than the 65 bytes of its handshake, into a buffer of that size', () => {
    const { connection, whole } = inbound();
    expect(connection.buffer()).toHaveLength(HANDSHAKE_BYTES);
    for (let left = HANDSHAKE_BYTES; left > 0; left--) {
      expect(connection.buffer()).toHaveLength(left);
      connection.received(1);
    }
    expect([HANDSHAKE_BYTES, whole]).toEqual([65, [65]]);
  });

  it('that was refused is given memory of nobody: all such connections share one buffer', () => {
    const refused = [inbound(), inbound()].map(({ connection }) => {
      connection.received(HANDSHAKE_BYTES);
      connection.become('refused');
      return connection.buffer();
    });
    expect(refused[0]).toBe(refused[1]);
  });
});
