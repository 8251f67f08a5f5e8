import { describe, expect, test } from 'vitest';
import { NodeMeter, PeerMeter, type PeerRates } from '../../../../src/main/admin/dashboard/rates.js';
import type { NodeStatus } from '../../../../src/main/api.js';
import { peer, status } from '../fake-node.js';

/** The node after so many seconds, with a thousand messages of ten bytes for each of them. */
function statusAt(seconds: number, more: Partial<NodeStatus> = {}): NodeStatus {
  const received = 1000 * seconds;
  return {
    ...status,
    uptimeSeconds: seconds,
    messages: { ...status.messages, received, sent: received / 2, dropped: 0 },
    bytes: { received: received * 10, sent: received * 5 },
    workers: [{ ...status.workers[0], messages: received }],
    ...more,
  };
}

describe('the rates of a node', () => {
  test('are what happened between two samples, by the clock of the node', () => {
    const meter = new NodeMeter();
    expect(meter.read(statusAt(10))).toBeNull();
    expect(meter.read(statusAt(12))).toEqual({
      messagesIn: 1000,
      messagesOut: 500,
      bytesIn: 10_000,
      bytesOut: 5000,
      dropped: 0,
      workers: [1000],
    });
  });

  test('are unknown after a restart, also where the new run has counted further than the old one', () => {
    const meter = new NodeMeter();
    meter.read(statusAt(10));
    expect(meter.read(statusAt(1))).toBeNull();
    expect(meter.read(statusAt(2))).toMatchObject({ messagesIn: 1000 });
    const lifetime = { ...status.lifetime, starts: status.lifetime.starts + 1 };
    expect(meter.read(statusAt(500, { lifetime }))).toBeNull();
    expect(meter.read(statusAt(501, { lifetime }))).toMatchObject({ messagesIn: 1000 });
    expect(meter.read(statusAt(502, { nodeId: 'another' }))).toBeNull();
  });

  test('wait for a second sample that is not taken at once after the first', () => {
    const meter = new NodeMeter();
    meter.read(statusAt(10));
    expect(meter.read(statusAt(10.01))).toBeNull();
    expect(meter.read(statusAt(11))).toMatchObject({ messagesIn: 1000 });
  });

  test('are unknown for a single counter that fell, and for a worker that was not there', () => {
    const meter = new NodeMeter();
    meter.read(statusAt(10));
    const fell = statusAt(11, { bytes: { received: 0, sent: 1e6 }, workers: [status.workers[0], status.workers[1]] });
    expect(meter.read(fell)).toMatchObject({ messagesIn: 1000, bytesIn: null, workers: [null, null] });
  });
});

describe('the rates of peers', () => {
  test('are by peer, and unknown for whoever has just come or come back', () => {
    const meter = new PeerMeter();
    const unknown: PeerRates = { bytesIn: null, bytesOut: null, messagesIn: null, messagesOut: null };
    expect(meter.read([peer], 1000)).toEqual(new Map([[peer.id, unknown]]));
    const later = { ...peer, bytesReceived: peer.bytesReceived + 400, messagesSent: peer.messagesSent + 10 };
    const other = { ...peer, id: 'peer-b' };
    expect(meter.read([later, other], 3000)).toEqual(
      new Map<string, PeerRates>([
        [peer.id, { bytesIn: 200, bytesOut: 0, messagesIn: 0, messagesOut: 5 }],
        ['peer-b', unknown],
      ]),
    );
    const back = { ...later, connectedAt: '2026-01-01T01:00:00.000Z', bytesReceived: 1e9 };
    expect(meter.read([back], 5000)).toEqual(new Map([[peer.id, unknown]]));
  });

  test('stay as they were when peers are asked for again at once', () => {
    const meter = new PeerMeter();
    meter.read([peer], 0);
    meter.read([{ ...peer, bytesReceived: peer.bytesReceived + 100 }], 1000);
    const again = meter.read([{ ...peer, bytesReceived: peer.bytesReceived + 101 }], 1001);
    expect(again.get(peer.id)).toMatchObject({ bytesIn: 100 });
  });
});
