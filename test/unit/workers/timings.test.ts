import { describe, expect, it } from 'vitest';
import type { HandlerModule } from '../../../src/shared/handler.js';
import type { WorkerHistogram } from '../../../src/shared/memory/arena-layout.js';
import { BOUNDS_US, readDurations } from '../../../src/shared/memory/histogram.js';
import { TypeTable } from '../../../src/shared/memory/type-table.js';
import { encodeFrame } from '../../../src/shared/wire/frame.js';
import { Death, Stage, type StageOptions } from './pipeline-stage.js';

const frames = (type: string, count: number, bytes = 4) =>
  Buffer.concat(Array.from({ length: count }, () => encodeFrame(type, Buffer.alloc(bytes))));

/** What a histogram holds, as [upper bound in milliseconds, how many]. */
function shown({ counts }: { counts: readonly number[] }): [number, number][] {
  return counts.flatMap((count, i) => (count === 0 ? [] : [[BOUNDS_US[i] / 1000, count] as [number, number]]));
}

class TimedStage extends Stage {
  of(name: WorkerHistogram) {
    return shown(readDurations(this.arena.words, this.arena.layout.workerHistogram(0, name)));
  }

  handled(type: string) {
    const table = new TypeTable(this.arena, 0);
    return table.handled(table.names().indexOf(type));
  }
}

/** A stage whose handlers take as many milliseconds as `burns` says of each call. */
function rig(burns: (call: number) => number, options: StageOptions = {}, more: HandlerModule = {}) {
  let call = 0;
  const tx = () => {
    stage.clock.ms += burns(call++);
  };
  const stage: TimedStage = new TimedStage({ tx, ...more }, options);
  return stage;
}

const run = (stage: Stage, bytes: Uint8Array, slot = 0) => {
  stage.arrive(slot, bytes);
  stage.turns();
};

describe('the time of inline handlers', () => {
  it('is taken one by one until a type is known as quick', () => {
    const stage = rig((call) => (call === 3 ? 1 : 0));
    run(stage, frames('tx', 10));
    expect(shown(stage.handled('tx'))).toEqual([
      [0.00025, 9],
      [1, 1],
    ]);
  });

  it('of a type that is known as quick is shared evenly by up to 32 messages', () => {
    const stage = rig((call) => (call === 20 ? 1.5 : 0));
    run(stage, frames('tx', 16));
    run(stage, frames('tx', 32));
    const durations = stage.handled('tx');
    expect(shown(durations)).toEqual([
      [0.00025, 16],
      [0.05, 32],
    ]);
    expect(durations.sumSeconds).toBeCloseTo(0.0015, 6);
  });

  it('is shared with messages of other types that came between, each under its own', () => {
    const stage = rig(() => 0.05, {}, { vote: () => undefined });
    run(stage, Buffer.concat([frames('tx', 16), frames('vote', 16)]));
    const before = shown(stage.handled('tx')).length;
    run(stage, Buffer.concat([frames('vote', 16), frames('tx', 16)]));
    expect(before).toBe(1);
    expect(shown(stage.handled('vote'))).toEqual([
      [0.00025, 16],
      [0.025, 16],
    ]);
    expect(shown(stage.handled('tx')).map(([, count]) => count)).toEqual([16, 16]);
  });

  it('is not taken of what has no handler, nor of what the protocol answers', () => {
    const stage = rig(() => 0);
    run(stage, Buffer.concat([frames('ping', 3), frames('stray', 3), frames('tx', 1)]));
    const table = new TypeTable(stage.arena, 0);
    const counts = table.names().map((name, number) => [name, shown(table.handled(number)).length]);
    expect(Object.fromEntries(counts)).toMatchObject({ tx: 1, ping: 0, stray: 0, other: 0 });
  });

  it('lost with a worker is that of the messages since its last look at the clock, no more', () => {
    const stage = rig((call) => {
      if (call === 5) throw new Death();
      return 0;
    });
    stage.arrive(0, frames('tx', 8));
    expect(() => stage.turns()).toThrow(Death);
    stage.takeOver();
    stage.turns();
    expect(shown(stage.handled('tx'))).toEqual([[0.00025, 8]]);
  });
});

describe('the time of queued handlers', () => {
  it('is from the start of each until it settled', async () => {
    const ends: (() => void)[] = [];
    const slow = () => new Promise<void>((resolve) => void ends.push(resolve));
    const stage = rig(() => 0, {}, { slow: { mode: 'queued', concurrency: 1, handler: slow } });
    run(stage, frames('slow', 2));
    for (const ms of [20, 200]) {
      stage.clock.ms += ms;
      ends.shift()!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(shown(stage.handled('slow'))).toEqual([
      [25, 1],
      [250, 1],
    ]);
  });
});

describe('of a ready ring', () => {
  it('the wait ends when its worker takes it up, the residence when what was in it is done', () => {
    const stage = rig(() => 1);
    stage.arrive(0, frames('tx', 4));
    stage.clock.ms += 4;
    stage.turns();
    expect([stage.of('lag'), stage.of('residence')]).toEqual([[[5, 1]], [[10, 1]]]);
  });

  it('the residence goes on while its frames wait for others, and does not for what came later', () => {
    const stage = rig(() => 0, { ringBytes: 2 ** 20 });
    // Three visits of 256 KiB, and more arrives before each.
    stage.arrive(0, frames('tx', 600, 1000));
    for (let visit = 0; visit < 3; visit++) {
      expect(stage.of('residence')).toEqual([]);
      stage.clock.ms += 30;
      stage.pipeline.turn();
      stage.arrive(0, frames('tx', 200, 1000));
    }
    expect([stage.of('residence'), stage.pipeline.hasWork]).toEqual([[[100, 1]], true]);
  });

  it('the residence goes on while it waits for room in a queue', async () => {
    const ends: (() => void)[] = [];
    const slow = () => new Promise<void>((resolve) => void ends.push(resolve));
    const policy = { mode: 'queued', concurrency: 1, queueLength: 1, overflow: 'back-pressure' } as const;
    const stage = rig(() => 0, {}, { slow: { ...policy, handler: slow } });
    run(stage, frames('slow', 3));
    expect(stage.of('residence')).toEqual([]);
    stage.clock.ms += 40;
    ends.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
    stage.turns();
    expect(stage.of('residence')).toEqual([[50, 1]]);
  });

  it('the residence does not wait for the rest of a frame', () => {
    const stage = rig(() => 0);
    stage.arrive(0, frames('tx', 2).subarray(0, 18));
    stage.clock.ms += 2;
    stage.turns();
    stage.clock.ms += 1000;
    run(stage, frames('tx', 2).subarray(18));
    expect(stage.of('residence')).toEqual([
      [0.00025, 1],
      [2.5, 1],
    ]);
  });
});
