/**
 * Writes to a store for ever, and says over standard output what it has put and what has been flushed: to be killed.
 * Each round puts one number under several keys, so that a reader can tell whether anything was written by halves.
 */
import { Store } from '../../dist/src/main/store/store.js';

const store = await Store.open(process.argv[2], {
  log: { warn: (_fields, message) => process.stdout.write(`warned ${message}\n`) },
  onFault: (error) => process.stdout.write(`fault ${error.message}\n`),
});
const first = Number(store.contents().meta.get('round') ?? 0);
for (let round = first + 1; ; round++) {
  for (let key = 0; key < 20; key++) store.put('addresses', `key-${key}`, { round, filler: 'x'.repeat(200) });
  store.put('meta', 'round', round);
  process.stdout.write(`put ${round} ${Date.now()}\n`);
  if (round % 10 === 0) {
    await store.flush();
    process.stdout.write(`flushed ${round}\n`);
  }
  await new Promise((resolve) => setTimeout(resolve, 2));
}
