import { expect, it } from 'vitest';
import { SeedOutcomes } from '../../../src/main/discovery/seed-outcomes.js';
import { ErrorCode, PeerError } from '../../../src/shared/errors.js';

it('a seed that is taken off the list is forgotten, and known for nothing when it comes back', () => {
  const outcomes = new SeedOutcomes();
  const [stays, goes] = [
    { host: '192.0.2.1', port: 1 },
    { host: '192.0.2.2', port: 2 },
  ];
  const result = { entries: [], own: [], address: null, fault: null, error: null } as never;
  for (const seed of [stays, goes]) outcomes.asked(seed, result, 1000);
  outcomes.keep([stays]);
  outcomes.dialled(goes, new PeerError(ErrorCode.NetworkError, 'x'));
  expect(outcomes.of([stays, goes])).toMatchObject([
    { seed: '192.0.2.1:1', askedMs: 1000 },
    { seed: '192.0.2.2:2', askedMs: null, dialFault: null },
  ]);
});
