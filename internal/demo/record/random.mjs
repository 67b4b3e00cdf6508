// A seeded generator, so that two recordings meet the same sequence of drops and
// delays (their packets still differ, because the browsers' clocks do).

/**
 * Marsaglia's 32-bit xorshift (13, 17, 5): good enough to decide drops, not for secrets.
 * @param {number} seed any integer but 0
 * @returns {() => number} uniform values in [0, 1)
 */
export function seeded(seed) {
  let state = seed >>> 0;
  if (state === 0) throw new RangeError('a seed of 0 would only ever give 0');
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
