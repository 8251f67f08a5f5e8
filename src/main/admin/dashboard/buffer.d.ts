/** The types of `api.ts` name Node's Buffer, which no browser has and no call of the dashboard returns. */
interface Buffer extends Uint8Array<ArrayBufferLike> {}
