import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { topText } from '../../../bench/profile/top.mjs';

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 6 });

describe('the functions of a profile', () => {
  it('come by the time of their own, in percent of the time that the thread was busy', () => {
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('(root)', ''), children: [2, 3, 4] },
        { id: 2, callFrame: frame('(idle)', '') },
        { id: 3, callFrame: frame('parse', 'file:///a/parse.js') },
        { id: 4, callFrame: frame('', 'file:///a/main.js') },
      ],
      samples: [3, 2, 4, 3, 1],
      timeDeltas: [0, 2000, 5000, 1000, 1000],
    };
    const folder = mkdtempSync(join(tmpdir(), 'paw-top-'));
    const path = join(folder, 'worker-1.cpuprofile');
    writeFileSync(path, JSON.stringify(profile));
    const lines = topText(path).split('\n');
    rmSync(folder, { recursive: true });
    expect(lines[0]).toBe('worker-1: busy 0.00 s, idle 0.01 s');
    expect(lines[1]).toMatch(/75\.0 % {2}parse\s+\S*a\/parse\.js:7/);
    expect(lines[2]).toMatch(/25\.0 % {2}\(anonymous\)\s+\S*a\/main\.js:7/);
  });
});
