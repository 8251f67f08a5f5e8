/** Makes an input that fails as small as it can, and then its bytes as plain as they can be. */

/** Inputs that are tried at most. */
const MAX_TRIES = 3000;

/**
 * @param fails whether an input fails in the same way
 * @returns an input that fails, of which no single byte can be left out unless tries ran out
 */
export function minimise(input: Uint8Array, fails: (input: Uint8Array) => boolean): Uint8Array {
  let smallest = input;
  let tries = 0;
  const takes = (candidate: Uint8Array): boolean => {
    if (tries >= MAX_TRIES) return false;
    tries++;
    if (!fails(candidate)) return false;
    smallest = candidate;
    return true;
  };
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length; ) {
      if (!takes(Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]))) at += size;
    }
  }
  for (let at = 0; at < smallest.length; at++) {
    for (const plain of [0, 0x61]) {
      if (smallest[at] === plain) break;
      const candidate = Uint8Array.from(smallest);
      candidate[at] = plain;
      if (takes(candidate)) break;
    }
  }
  return smallest;
}
