/**
 * The good peer of a node under attack, a process of its own, so that nobody's load but the node's delays what it
 * measures. It pings, sends numbered messages that are acknowledged, and, when told so, has broadcasts made that it gets
 * back itself; meanwhile newcomers come by, shake hands and leave. Says what it found when it is asked.
 */
import { dial, frame, greeting, handshake, join, readFrames } from './wire.mjs';

const PING_EVERY_MS = 25;
const VISIT_EVERY_MS = 200;
const [port, nodeId, from] = process.argv.slice(2);

/** What went out with a number and is answered by number, in order. */
class Exchange {
  times = [];
  #sentMs = [];
  #answered = 0;
  /** What came that was not due. */
  outOfOrder = 0;

  get sent() {
    return this.#sentMs.length;
  }

  get isWhole() {
    return this.#answered >= this.sent;
  }

  next() {
    this.#sentMs.push(performance.now());
    return this.sent - 1;
  }

  answered(number) {
    if (number !== this.#answered) this.outOfOrder++;
    this.#answered = number + 1;
    this.times.push(performance.now() - this.#sentMs[number]);
  }

  /** Takes what was found since the last call. What is not answered yet has taken as long as it has waited. */
  take() {
    const nowMs = performance.now();
    const waiting = this.#sentMs.slice(this.#answered).map((sentMs) => nowMs - sentMs);
    const times = [...this.times, ...waiting].sort((a, b) => a - b);
    const found = {
      count: times.length,
      unanswered: waiting.length,
      outOfOrder: this.outOfOrder,
      worstMs: times.at(-1) ?? 0,
      p99Ms: times[Math.ceil(times.length * 0.99) - 1] ?? 0,
    };
    this.times = [];
    this.outOfOrder = 0;
    return found;
  }
}

const pings = new Exchange();
const messages = new Exchange();
const news = new Exchange();
let newsBytes = 0;
let visits = [];
let visitor = 0;
let isGone = false;

const socket = await join(Number(port), nodeId, from);
socket.on('close', () => {
  isGone = true;
});
readFrames(socket, (type, payload) => {
  if (type === 'pong') pings.answered(Number(payload.readBigUInt64BE(0)));
  else if (type === 'ack') messages.answered(payload.readUInt32BE(0));
  else if (type === 'news') news.answered(payload.readUInt32BE(0));
});

setInterval(() => {
  const nonce = Buffer.alloc(8);
  nonce.writeBigUInt64BE(BigInt(pings.next()));
  const number = messages.next();
  const payload = Buffer.alloc(4 + ((number * 37) % 1000));
  payload.writeUInt32BE(number);
  const frames = [frame('ping', nonce), frame('seq', payload)];
  if (newsBytes > 0) {
    const told = Buffer.alloc(newsBytes);
    told.writeUInt32BE(news.next());
    frames.push(frame('shout', told));
  }
  socket.write(Buffer.concat(frames));
}, PING_EVERY_MS);

/** A newcomer from an address of its own. Gone without a trace if it is let in. */
async function visit() {
  const number = visitor++;
  const one = { startedMs: performance.now(), tookMs: null, refusedWith: null };
  visits.push(one);
  const comer = await dial(Number(port), `127.10.${number % 250}.9`);
  comer.write(handshake(`visitor-${number}`));
  const answer = await greeting(comer);
  one.tookMs = performance.now() - one.startedMs;
  if (answer?.[0] !== 1) one.refusedWith = answer === null ? 'closed' : answer[1];
  comer.resume();
  comer.end();
}
setInterval(() => void visit().catch(() => undefined), VISIT_EVERY_MS);

function takeVisits() {
  const nowMs = performance.now();
  const over = visits.filter(({ tookMs, startedMs }) => tookMs !== null || nowMs - startedMs >= 1000);
  visits = visits.filter((one) => !over.includes(one));
  return {
    count: over.length,
    refused: over.filter(({ refusedWith }) => refusedWith !== null).length,
    unanswered: over.filter(({ tookMs }) => tookMs === null).length,
    worstMs: Math.max(0, ...over.map(({ tookMs, startedMs }) => tookMs ?? nowMs - startedMs)),
  };
}

process.on('message', (asked) => {
  if (asked.kind === 'tell') newsBytes = asked.newsBytes;
  if (asked.kind !== 'found') return;
  process.send({
    isGone,
    // For an end: nothing is under way but what the last few milliseconds brought.
    isWhole: news.isWhole,
    pings: pings.take(),
    messages: messages.take(),
    news: news.take(),
    visits: takeVisits(),
  });
});
process.on('disconnect', () => process.exit());
process.send({ isThere: true });
