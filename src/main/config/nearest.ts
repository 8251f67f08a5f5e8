/**
 * Owns the guess of what a mistyped name meant. Pure; main thread.
 */

/** Insertions, deletions and replacements of one letter that turn `from` into `to`. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}

/** Names compare by their letters alone, so that `max_peer` is near `maxPeers`. Bounded: a file may hold any text. */
function letters(name: string): string {
  return name
    .slice(0, 64)
    .replace(/[-_. ]/g, '')
    .toLowerCase();
}

/** The name of `known` that takes the fewest edits; of several the first. `known` is not empty. */
export function nearestName(name: string, known: readonly string[]): string {
  const distances = known.map((candidate) => editDistance(letters(name), letters(candidate)));
  return known[distances.indexOf(Math.min(...distances))]!;
}
