/** Which of many like events are told, and that the others are counted. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogSampler } from '../../src/shared/log-sampler.js';

describe('a log sampler', () => {
  test('tells the first event of a source in a window, and counts those that follow', () => {
    const sampler = new LogSampler<string, string>({ windowMs: 1000 });
    expect(sampler.admit('refused', 'a', 0)).toBe(true);
    expect(sampler.admit('refused', 'a', 1)).toBe(false);
    expect(sampler.admit('refused', 'a', 999)).toBe(false);
    expect(sampler.admit('refused', 'b', 999)).toBe(true);
    expect(sampler.admit('dropped', 'a', 999)).toBe(true);
    expect(sampler.sweep(1000)).toEqual([{ topic: 'refused', count: 2, bySource: new Map([['a', 2]]) }]);
    expect(sampler.admit('refused', 'a', 1000)).toBe(true);
  });

  test('tells so many of a topic and no more, however many sources there are', () => {
    const sampler = new LogSampler<string, number>({ windowMs: 1000, linesMax: 10, sourcesMax: 20 });
    let told = 0;
    for (let source = 0; source < 1000; source++) if (sampler.admit('refused', source, source % 1000)) told++;
    expect(told).toBe(10);
    const [{ count, bySource }] = sampler.sweep(1000);
    expect(count).toBe(990);
    expect(bySource.size).toBe(10);
  });

  test('tells of a storm that ended, once, and of one that the next event ended', () => {
    const sampler = new LogSampler<string, string>({ windowMs: 1000 });
    for (let event = 0; event < 5; event++) sampler.admit('a', 'x', event);
    sampler.admit('b', 'x', 10);
    expect(sampler.sweep(999)).toEqual([]);
    expect(sampler.admit('a', 'x', 1500)).toBe(true);
    expect(sampler.sweep(1500)).toMatchObject([{ topic: 'a', count: 4 }]);
    expect(sampler.sweep(Number.POSITIVE_INFINITY)).toEqual([]);
  });

  test('loses no event: those told and those counted are all there were, and no window tells too many', () => {
    const event = fc.tuple(fc.constantFrom('a', 'b'), fc.nat({ max: 30 }), fc.nat({ max: 400 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const sampler = new LogSampler<string, number>({ windowMs: 1000, linesMax: 3, sourcesMax: 5 });
        const told: { topic: string; atMs: number }[] = [];
        let counted = 0;
        let nowMs = 0;
        for (const [topic, source, stepMs, sweeps] of events) {
          nowMs += stepMs;
          if (sampler.admit(topic, source, nowMs)) told.push({ topic, atMs: nowMs });
          if (sweeps) for (const { count } of sampler.sweep(nowMs)) counted += count;
        }
        for (const { count } of sampler.sweep(Number.POSITIVE_INFINITY)) counted += count;
        expect(told.length + counted).toBe(events.length);
        for (const { topic, atMs } of told) {
          const near = told.filter((other) => other.topic === topic && other.atMs >= atMs && other.atMs < atMs + 1000);
          // A second that lies across the end of a window sees parts of two.
          expect(near.length).toBeLessThanOrEqual(6);
        }
      }),
    );
  });
});
