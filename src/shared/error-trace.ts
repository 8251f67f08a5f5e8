/**
 * What the log may say of an error that an application's code threw: what kind it is and where it came from, never its
 * message, which may quote the payload that was at hand (that of JSON.parse does). Pure; both sides.
 */

const FRAMES_MAX = 8;

export interface ErrorTrace {
  /** Name, and code if it has one. */
  readonly error: string;
  /** Frames of the stack, innermost first. */
  readonly at: readonly string[];
}

export function errorTrace(error: unknown): ErrorTrace {
  // Whoever throws may have put anything there, also what throws when it is looked at.
  const part = (key: 'name' | 'message' | 'stack' | 'code'): string => {
    try {
      const value: unknown = (error as NodeJS.ErrnoException)[key];
      return typeof value === 'string' ? value : '';
    } catch {
      return '';
    }
  };
  if (!isErrorLike(error)) return { error: `a thrown ${typeof error}`, at: [] };
  const [name, message, stack, code] = [part('name'), part('message'), part('stack'), part('code')];
  const kind = /^\w{1,64}$/.test(name) ? name : 'Error';
  const shownCode = /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? ` ${code}` : '';
  const frames = stackBehind(message, stack)
    .split('\n')
    .flatMap((line) => /^ {4}at (.+)$/.exec(line)?.[1] ?? []);
  return { error: kind + shownCode, at: frames.slice(0, FRAMES_MAX) };
}

/** A proxy may throw when it is asked. */
function isErrorLike(error: unknown): boolean {
  try {
    return error instanceof Error;
  } catch {
    return false;
  }
}

/**
 * A message of several lines may look like frames, so it is cut off first. Of one that was changed after the error was made
 * the stack has the first text, of which nobody knows where it ends: then there is nothing to tell.
 */
function stackBehind(message: string, stack: string): string {
  if (message === '') return /^\S*\n {4}at /.test(stack) ? stack : '';
  const at = stack.indexOf(message);
  return at < 0 ? '' : stack.slice(at + message.length);
}
