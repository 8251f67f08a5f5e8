/** Exit codes of the check of a store. Node ends with others for reasons of its own, which say nothing of the store. */
export const CheckResult = { Sound: 0, Damaged: 65, OtherVersion: 66 } as const;
