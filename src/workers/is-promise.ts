/** Whether a handler is not through yet: what it returned settles later. Any library's promise is one. Worker thread. */
export function isPromise(result: unknown): result is PromiseLike<unknown> {
  return typeof result === 'object' && result !== null && typeof (result as { then?: unknown }).then === 'function';
}
