/** The soak in its short form: what an hour of it asks of trends, seconds of it can ask of sums. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { BenchResult, Run } from '../../bench/result.js';
import { root } from '../architecture/source-files.js';
import { Program, tempFolder } from './program.js';

const MIB = 1024 * 1024;
/**
 * What a node may add in these seconds after the first fifth of them: pages of rings and tables that are used for the first
 * time, and what the allocator keeps. A leak of 16 KiB for each message were three times that.
 */
const GROWN_BYTES_MOST = 32 * MIB;
const HEAP_GROWN_BYTES_MOST = 8 * MIB;

/** Free chunks, and buffers of large frames, that are kept for the next burst. */
const QUEUED_BYTES_MOST = 2.25 * MIB;
const HELD_BYTES_MOST = 16 * MIB;

/** Where everybody ends who was not cut off: nothing lost, nothing left. */
const clean = { lost: 0, doubled: 0, strange: 0, damaged: 0, skipped: 0, dropped: 0, letIn: 0, threads: 0 };

describe('a soak', () => {
  it('loses nothing and leaves nothing behind, whoever comes and goes and whatever dies', async () => {
    const json = join(tempFolder(), 'soak.json');
    const { code, stdout, stderr } = await new Program(['bench', 'soak', '--duration', '30s', '--json', json]).exit;
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('messages lost');
    const result = JSON.parse(readFileSync(json, 'utf8')) as BenchResult;
    const { values, courses } = result.scenarios[0]!.measurements[0]!.runs[0]!;
    expect(values, stderr).toMatchObject(clean);
    expect(values.descriptors).toBeLessThanOrEqual(0);
    expect(values.queued).toBeLessThanOrEqual(QUEUED_BYTES_MOST);
    expect(values.held).toBeLessThanOrEqual(HELD_BYTES_MOST);
    expect(values.grown).toBeLessThan(GROWN_BYTES_MOST);
    expect(values.heapGrown).toBeLessThan(HEAP_GROWN_BYTES_MOST);
    // And it was a soak: many came and went, workers died, messages reached many.
    expect(values.visits).toBeGreaterThan(100);
    expect(values.strangers).toBeGreaterThan(50);
    expect(values.kills).toBeGreaterThanOrEqual(3);
    expect(values.delivered).toBeGreaterThan(50_000);
    expect(courses!.map(({ title }) => title)).toContain('threads');
  }, 150_000);

  it('sees handlers that keep something of each message', async () => {
    const scenario = pathToFileURL(join(root, 'dist/bench/scenarios/soak.js')).href;
    const { soaked } = (await import(scenario)) as typeof import('../../bench/scenarios/soak.js');
    const handlers = fileURLToPath(new URL('../integration/handlers/leaky.mjs', import.meta.url));
    const told: string[] = [];
    const leak = soaked({ seconds: 15, workers: 1, seed: 2, handlers, kills: false });
    const run: Run = await leak((text) => told.push(text));
    expect(run.values, told.join('\n')).toMatchObject(clean);
    expect(run.values.grown).toBeGreaterThan(2 * GROWN_BYTES_MOST);
  }, 120_000);
});
