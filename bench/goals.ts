/** Goals of scenarios, in the form that results carry. Pure. */
import type { Goal } from './result.js';

/** The node's figure is to be at least so many times that of another program, or of its own in another case. */
export function atLeastTimes(
  caseName: string,
  metric: string,
  value: number,
  target: string,
  otherCase?: string,
): Goal {
  const against = otherCase === undefined ? { target } : { target, case: otherCase };
  return { case: caseName, metric, against, compare: 'ratio', bound: 'at least', value };
}

/** The node's figure is to be no more than this. */
export function atMost(caseName: string, metric: string, value: number): Goal {
  return { case: caseName, metric, against: null, compare: 'value', bound: 'at most', value };
}

/** The node's figure is to be no more than this above that of another program. */
export function atMostAbove(caseName: string, metric: string, value: number, target: string): Goal {
  return { case: caseName, metric, against: { target }, compare: 'difference', bound: 'at most', value };
}
