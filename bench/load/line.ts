/**
 * Load: a peer at one end of a line of nodes that sends at a steady rate, and one at the other end that sees how long
 * that took.
 */
import { encodeFrame, readUint32BE } from '../../src/shared/wire/frame.js';
import { optionsOf, serve } from '../channel.js';
import { Latencies, sharedNowUs } from './latency.js';
import { Pacer } from './pacer.js';
import { joinAll } from './peer.js';

export interface LineOptions {
  /** Where messages go in, and where they come out. */
  readonly port: number;
  readonly farPort: number;
  readonly payloadBytes: number;
  readonly ratePerSecond: number;
  /** Peers at the far end. */
  readonly receivers: number;
}

const { port, farPort, payloadBytes, ratePerSecond, receivers } = optionsOf<LineOptions>();
const payload = Buffer.alloc(payloadBytes, 0x5a);
const latencies = new Latencies();
const frameBytes = encodeFrame('tx', payload).length;
let sent = 0;
let delivered = 0;

for (const socket of await joinAll(farPort, receivers, 'far')) {
  let left = Buffer.alloc(0);
  socket.on('data', (data) => {
    const bytes = left.length === 0 ? data : Buffer.concat([left, data]);
    const nowUs = sharedNowUs();
    let at = 0;
    while (bytes.length - at >= 4) {
      const end = at + 4 + readUint32BE(bytes, at);
      if (end > bytes.length) break;
      if (end - at === frameBytes) {
        latencies.record(nowUs - bytes.readDoubleBE(end - payloadBytes + 8));
        delivered++;
      }
      at = end;
    }
    left = bytes.subarray(at);
  });
}

const [sender] = await joinAll(port, 1, 'near');
sender!.on('data', () => undefined);
new Pacer(ratePerSecond, (intendedUs) => {
  payload.writeDoubleBE(sent++, 0);
  payload.writeDoubleBE(intendedUs, 8);
  sender!.write(encodeFrame('tx', payload));
});

serve(0, {
  counts: () => ({ sent, delivered }),
  delivered: () => delivered,
  latencies: () => latencies.take(),
});
