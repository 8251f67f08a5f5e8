/**
 * Load: sends frames and counts what comes back, with a number of them in flight on each connection, or at a steady rate
 * over all of them. Answers have the size of what was sent, so counting bytes is enough.
 */
import { encodeFrame } from '../../src/shared/wire/frame.js';
import { optionsOf, serve } from '../channel.js';
import { Latencies, sharedNowUs } from './latency.js';
import { Pacer } from './pacer.js';
import { joinAll } from './peer.js';

export interface EchoOptions {
  readonly port: number;
  readonly connections: number;
  readonly payloadBytes: number;
  /** In flight on each connection; a lone one is sent as soon as its predecessor is back. */
  readonly inFlight: number;
  /** Messages a second over all connections instead. */
  readonly ratePerSecond?: number;
}

const { port, connections, payloadBytes, inFlight, ratePerSecond } = optionsOf<EchoOptions>();
const frame = encodeFrame('echo', Buffer.alloc(payloadBytes, 0x5a));
const block = Buffer.concat(new Array(inFlight).fill(frame));
const latencies = new Latencies();
let answers = 0;

const sockets = await joinAll(port, connections, 'echo');
const sentUs = sockets.map(() => [] as number[]);
for (const [i, socket] of sockets.entries()) {
  const times = sentUs[i]!;
  let bytes = 0;
  socket.on('data', (data) => {
    bytes += data.length;
    const whole = Math.floor(bytes / frame.length);
    if (whole === 0) return;
    bytes -= whole * frame.length;
    answers += whole;
    const nowUs = sharedNowUs();
    for (const us of times.splice(0, whole)) latencies.record(nowUs - us);
    if (ratePerSecond !== undefined) return;
    for (let sent = 0; sent < whole; sent++) times.push(nowUs);
    socket.write(block.subarray(0, whole * frame.length));
  });
}
if (ratePerSecond === undefined) {
  for (const [i, socket] of sockets.entries()) {
    const nowUs = sharedNowUs();
    for (let sent = 0; sent < inFlight; sent++) sentUs[i]!.push(nowUs);
    socket.write(block);
  }
} else {
  let next = 0;
  new Pacer(ratePerSecond, (intendedUs) => {
    const i = next++ % sockets.length;
    sentUs[i]!.push(intendedUs);
    sockets[i]!.write(frame);
  });
}

serve(0, { answers: () => answers, latencies: () => latencies.take() });
