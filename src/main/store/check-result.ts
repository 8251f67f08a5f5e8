/** Exit codes of the check of a store. Any other, and a signal, means damaged as well. */
export const CheckResult = { Sound: 0, Damaged: 1, OtherVersion: 3 } as const;
