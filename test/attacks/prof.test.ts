import { it } from 'vitest';
import { Siege } from './support/siege.js';

it('profile', async () => {
  process.env.NODE_OPTIONS = '-r /tmp/attacks-preload.cjs';
  process.env.ATTACKS_PROF = '/tmp/attacks-prof/' + process.env.PROF;
  const siege = await Siege.begin(JSON.parse(process.env.PROF_ARGS ?? '[]'));
  process.env.NODE_OPTIONS = '';
  if (process.env.PROF_NEWS) siege.tell(Number(process.env.PROF_NEWS));
  try {
    await siege.withstands(
      process.env.PROF!,
      JSON.parse(process.env.PROF_OPTIONS ?? '{"count":20}'),
      Number(process.env.PROF_MS ?? 6000),
    );
  } finally {
    await siege.end();
  }
}, 60_000);
