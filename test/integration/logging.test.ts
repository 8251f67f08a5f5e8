import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { handlerModule, portOf, startNode, until } from './support/nodes.js';
import { frame, handshakeBytes, RawPeer } from './support/raw-peer.js';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function recorder(level: string) {
  const lines: Line[] = [];
  const logger = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });
  return { logger, of: (msg: string) => lines.filter((line) => line.msg === msg), lines };
}

const [DEBUG, INFO, WARN] = [20, 30, 40];

describe('the log', () => {
  it('tells connections at info, with node, chain, peer and cause on the line', async () => {
    const log = recorder('info');
    const node = await startNode({ logger: log.logger, nodeId: 'us' });
    const peer = await RawPeer.join(portOf(node));
    peer.socket.end(frame('disconnect', Buffer.of(0x47)));
    await until(() => log.of('peer disconnected').length === 1, 'the line');
    const context = { level: INFO, nodeId: 'us', chainId: 'paw-test', peerId: 'raw', direction: 'inbound' };
    expect(log.of('peer connected')[0]).toMatchObject(context);
    expect(log.of('peer disconnected')[0]).toMatchObject({ ...context, code: 0x47, name: 'ShuttingDown' });
  });

  it('warns of violations and refusals, once for many of a kind', async () => {
    const log = recorder('info');
    const node = await startNode({ logger: log.logger });
    const peer = await RawPeer.join(portOf(node));
    // One less than what bans: whoever is banned is cut off before the worker has seen all that it sent.
    peer.socket.write(Buffer.concat(Array.from({ length: 100 }, () => frame('bad\n'))));
    for (let i = 0; i < 20; i++) {
      const other = await RawPeer.dial(portOf(node), '127.7.0.1');
      other.socket.end(handshakeBytes('other'));
      await until(() => other.ended, 'the refusal');
    }
    await until(() => node.stats().connections.rejectedInbound === 20, 'all refusals');
    await until(() => node.stats().messages.dropped === 100, 'all drops');
    expect(log.of('frame dropped')).toMatchObject([{ level: WARN, code: 0x05, name: 'InvalidMessageFormat' }]);
    expect(log.of('peer rejected')).toMatchObject([{ level: WARN, code: 0x02 }]);
  });

  it('counts refusals that it left out, exactly, when they are over and when the node closes', async () => {
    const log = recorder('info');
    const node = await startNode({ logger: log.logger });
    const refused = 60;
    for (let i = 0; i < refused; i++) {
      const other = await RawPeer.dial(portOf(node), `127.8.0.${1 + (i % 20)}`);
      other.socket.end(handshakeBytes('other'));
      await until(() => other.ended, 'the refusal');
    }
    await until(() => node.stats().connections.rejectedInbound === refused, 'all refusals');
    await node.close();
    const leftOut = log.of('peer rejected: lines left out').reduce((sum, line) => sum + Number(line.leftOut), 0);
    expect(log.of('peer rejected').length).toBeGreaterThanOrEqual(10);
    expect(log.of('peer rejected').length + leftOut).toBe(refused);
    expect(log.lines.at(-1)).toMatchObject({ msg: 'node closed' });
  });

  it('has a few lines of handlers and subscribers that throw at every message, never with what they threw', async () => {
    const log = recorder('debug');
    const secret = 'x-marks-the-spot';
    const node = await startNode({ logger: log.logger, handlers: [handlerModule('parsing.mjs')] });
    node.subscribe('parse', ({ payload }) => JSON.parse(String(payload)));
    const peer = await RawPeer.join(portOf(node));
    const messages = 200;
    const frames = Array.from({ length: messages }, () => frame('parse', Buffer.from(secret)));
    peer.socket.write(Buffer.concat(frames));
    await until(() => node.stats().messages.handlerErrors === messages, 'all errors');
    await until(() => log.of('subscriber failed').length > 0, 'the subscriber');
    await node.close();
    const counted = (msg: string) =>
      log.of(msg).length + log.of(`${msg}: lines left out`).reduce((sum, line) => sum + Number(line.leftOut), 0);
    expect(log.of('handler failed')).toMatchObject([{ level: 50, type: 'parse', error: 'SyntaxError' }]);
    expect(counted('handler failed')).toBe(messages);
    expect(counted('subscriber failed')).toBe(messages);
    expect(JSON.stringify(log.lines)).not.toContain('x-marks');
  });

  it('tells history how many more frames of a peer were dropped', async () => {
    const node = await startNode();
    const peer = await RawPeer.join(portOf(node));
    peer.socket.write(Buffer.concat(Array.from({ length: 30 }, () => frame('bad\n'))));
    await until(() => node.stats().messages.dropped === 30, 'all drops');
    await node.close();
    const dropped = node.history().filter(({ kind }) => kind === 'dropped');
    expect(dropped.map(({ detail }) => detail)).toEqual(['29 more frames dropped', 'frame dropped']);
  });

  it('shows dials and message flow at debug, and never a payload', async () => {
    const log = recorder('debug');
    const secret = 'x-marks-the-spot';
    const node = await startNode({ logger: log.logger });
    const other = await startNode({ nodeId: 'other' });
    await node.dial(other.listen);
    await node.send('other', 'tx', Buffer.from(secret));
    await until(() => log.of('messages').length > 0, 'the flow', 5000);
    expect(log.of('dialling')).toMatchObject([{ level: DEBUG, address: other.listen }]);
    expect(log.of('messages')[0]).toMatchObject({ level: DEBUG, peerId: 'other', received: 0, sent: 1 });
    expect(JSON.stringify(log.lines)).not.toContain(secret);
  });
});
