/**
 * What a node takes at most beside its memory budget, as docs/operations.md tells the operator. One figure, for attacks in a
 * row as well: each leaves garbage of its own that is not collected before the next, and rounds of the worst three come to
 * rest at some 210.
 */
export const BESIDE_BUDGET_MIB = 256;
