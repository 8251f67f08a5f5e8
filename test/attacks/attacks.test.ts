import { describe, expect, it } from 'vitest';
import { Siege } from './support/siege.js';

describe('crowds at the door', () => {
  it('500 slow-loris handshakes keep nobody out', async () => {
    const siege = await Siege.begin(['--handshake-timeout', '2s']);
    const { visits } = await siege.withstands('slowLoris', { count: 500 }, 4000);
    expect(visits).toMatchObject({ refused: 0, unanswered: 0 });
  });
});
