/**
 * Load: connects, shakes hands and closes again and again, so many at once, or one every so often. Every one is a peer
 * of its own.
 */
import { optionsOf, serve } from '../channel.js';
import { Latencies, sharedNowUs } from './latency.js';
import { Pacer } from './pacer.js';
import { join } from './peer.js';

export interface ConnectorOptions {
  readonly port: number;
  readonly atOnce?: number;
  readonly ratePerSecond?: number;
}

const { port, atOnce = 0, ratePerSecond } = optionsOf<ConnectorOptions>();
const latencies = new Latencies();
let done = 0;
let failed = 0;

async function once(fromUs: number): Promise<void> {
  try {
    const socket = await join(port, 'connector');
    latencies.record(sharedNowUs() - fromUs);
    done++;
    socket.end();
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  } catch {
    failed++;
  }
}

async function again(): Promise<void> {
  for (;;) await once(sharedNowUs());
}
for (let i = 0; i < atOnce; i++) void again();
if (ratePerSecond !== undefined) new Pacer(ratePerSecond, (intendedUs) => void once(intendedUs));

serve(0, { done: () => done, failed: () => failed, latencies: () => latencies.take() });
