/** Keeps its worker busy. */
import { writeFileSync } from 'node:fs';

const burn = (ms) => {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
};

export default {
  /** For as many milliseconds as the message says. */
  busy: (message) => burn(message.payload.readUInt16BE(0)),
  /** For 20 s, once the message is long handled; then there is the file that it names. */
  busyLater: (message) => {
    const file = message.payload.toString();
    setTimeout(() => {
      writeFileSync(file, '');
      burn(20_000);
    }, 200);
  },
};
