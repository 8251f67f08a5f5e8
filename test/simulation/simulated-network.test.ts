import { describe, expect, it } from 'vitest';
import type { PeerSocket } from '../../src/main/net/network.js';
import { Schedule } from './schedule.js';
import { Seeded } from './seeded.js';
import { SimulatedNetwork } from './simulated-network.js';

/** Two hosts; the second listens and collects what comes. */
function rig(seed = 1) {
  const schedule = new Schedule();
  const network = new SimulatedNetwork(schedule, new Seeded(seed, 'test'), {
    latencyMs: [1, 50],
    bytesPerMs: [100, 100],
  });
  const [near, far] = [network.host('20.0.0.1'), network.host('30.0.0.1')];
  const got: Buffer[] = [];
  const said: string[] = [];
  const target = Buffer.alloc(777);
  const state: { accepted: PeerSocket | null; reads: boolean } = { accepted: null, reads: true };
  const sink = {
    buffer: () => target,
    received(bytes: number) {
      got.push(Buffer.from(target.subarray(0, bytes)));
      return state.reads;
    },
  };
  const listener = network.of(far).listener(
    (adopt) => {
      state.accepted = adopt(sink);
      state.accepted.on('end', () => said.push('far end'));
      state.accepted.on('close', () => said.push('far close'));
      state.accepted.on('error', ({ code }) => said.push(`far ${code}`));
      state.accepted.resume();
    },
    () => undefined,
    () => undefined,
  );
  void listener.listen('30.0.0.1', 7);
  const dial = () => {
    const socket = network
      .of(near)
      .connect({ host: '30.0.0.1', port: 7 }, { buffer: () => target, received: () => true });
    for (const event of ['connect', 'end', 'close'] as const) socket.on(event, () => said.push(`near ${event}`));
    socket.on('error', ({ code }) => said.push(`near ${code}`));
    return socket;
  };
  const run = (ms: number) => {
    const endMs = schedule.nowMs + ms;
    for (let step = schedule.take(endMs); step !== null; step = schedule.take(endMs)) step();
  };
  return { schedule, network, near, far, got, said, state, dial, run };
}

const bytes = (count: number) => Buffer.from(Uint8Array.from({ length: count }, (_, i) => (i * 31 + (i >> 8)) & 0xff));

describe('simulated sockets', () => {
  it('deliver everything, in order and cut anywhere, then the end', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { dial, run, got, said, state } = rig(seed);
      const socket = dial();
      const sent = bytes(300_000);
      let taken = 0;
      for (let at = 0; at < sent.length; at += 50_000) {
        socket.write(sent.subarray(at, at + 50_000), () => {
          taken++;
        });
      }
      socket.end();
      run(10_000);
      expect(Buffer.concat(got).equals(sent)).toBe(true);
      expect({ taken, left: socket.writableLength }).toEqual({ taken: 6, left: 0 });
      expect(said).toEqual(['near connect', 'far end']);
      state.accepted!.end();
      run(1000);
      expect(said.slice(2).sort()).toEqual(['far close', 'near close', 'near end']);
    }
  });

  it('hold the writer up when nobody reads, and go on when somebody does', () => {
    const { dial, run, got, state } = rig();
    state.reads = false;
    const socket = dial();
    const sent = bytes(1_000_000);
    socket.write(sent);
    run(60_000);
    expect(socket.writableLength).toBeGreaterThan(800_000);
    state.reads = true;
    state.accepted!.resume();
    run(60_000);
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  it('are refused where nobody listens, and never answered where nobody is', () => {
    const { network, far, dial, run, said } = rig();
    network.kill(far);
    dial();
    run(1000);
    expect(said).toEqual(['near ECONNREFUSED', 'near close']);
    network.unplug(far);
    dial();
    run(100_000);
    expect(said).toHaveLength(2);
  });

  it('hear of a process that is killed, and not of a machine without power until they write to its next life', () => {
    const killed = rig();
    killed.dial();
    killed.run(1000);
    killed.network.kill(killed.far);
    killed.run(1000);
    expect(killed.said).toEqual(['near connect', 'near ECONNRESET', 'near close']);
    const unplugged = rig();
    const socket = unplugged.dial();
    unplugged.run(1000);
    unplugged.network.unplug(unplugged.far);
    socket.write(bytes(10));
    unplugged.run(100_000);
    expect(unplugged.said).toEqual(['near connect']);
    unplugged.network.plugIn(unplugged.far);
    socket.write(bytes(10));
    unplugged.run(1000);
    expect(unplugged.said).toEqual(['near connect', 'near ECONNRESET', 'near close']);
  });

  it('lose nothing in a partition that heals', () => {
    const { network, near, far, dial, run, got } = rig();
    const socket = dial();
    run(1000);
    network.partition(
      new Map([
        [near, 0],
        [far, 1],
      ]),
    );
    const sent = bytes(100_000);
    socket.write(sent);
    run(60_000);
    expect(got).toEqual([]);
    network.heal();
    run(60_000);
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  it('that are closed with bytes unread reset the other side', () => {
    const { dial, run, said, state } = rig();
    state.reads = false;
    dial().write(bytes(50_000));
    run(1000);
    state.accepted!.destroy();
    run(1000);
    expect(said).toEqual(['near connect', 'far close', 'near ECONNRESET', 'near close']);
  });
});
