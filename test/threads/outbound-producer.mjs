/** Producer of the outbound-ring test: numbered frames for several slots, commands in between. Runs compiled code. */
import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../../dist/src/shared/memory/arena.js';
import { Header } from '../../dist/src/shared/memory/arena-layout.js';
import { OutboundWriter, RecordKind } from '../../dist/src/shared/memory/outbound-ring.js';
import { Signal } from '../../dist/src/shared/memory/signal.js';
import { Outbox } from '../../dist/src/workers/outbox.js';

const { buffer, records } = workerData;
const arena = Arena.attach(buffer);
const signal = new Signal(arena.words, Header.MainSignal);
const writer = new OutboundWriter(arena, 0, () => signal.raise());
const outbox = new Outbox(arena, 0, writer, 2 ** 30);
const type = { bytes: new Uint8Array(Buffer.from('tx')), number: 1 };
const payload = Buffer.alloc(4096);

for (let i = 0; i < records; i++) {
  const bytes = 8 + ((i * 7919) % 500) + (i % 5000 === 0 ? 3000 : 0);
  payload.writeUInt32BE(i, 0);
  payload.fill(i & 0xff, 4, bytes);
  if (i % 97 === 0) outbox.tell(RecordKind.Pong, i % 4, 1, [payload.subarray(0, bytes)]);
  else outbox.sendTo(Buffer.from(`peer-${i % 4}`.padEnd(32, '\0')), type, payload.subarray(0, bytes));
  writer.markProgress();
  if (i % 16 === 0 && writer.publish()) signal.raise();
}
writer.publish();
signal.raise();
parentPort.postMessage('done');
