/** What of 0..count-1 is missing, how many came more often than once, and whether they came in order. */
export function reckon(numbers: readonly number[], count: number) {
  const seen = new Set(numbers);
  const lost = Array.from({ length: count }, (_, i) => i).filter((i) => !seen.has(i));
  const isOrdered = numbers.every((number, i) => i === 0 || number >= numbers[i - 1]);
  return { lost, doubled: numbers.length - seen.size, isOrdered };
}
