/** Runs a command line in this process and tells what it wrote and how it would have ended. */
import { vi } from 'vitest';
import { reportFailure } from '../../../src/main/cli/exit.js';
import { buildProgram } from '../../../src/main/cli/program.js';

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function run(...args: string[]): Promise<Run> {
  const captured = { out: '', err: '' };
  const capture = (name: 'out' | 'err') => (chunk: unknown) => {
    captured[name] += String(chunk);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(capture('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(capture('err')),
  ];
  let code = 0;
  try {
    await buildProgram().parseAsync(args, { from: 'user' });
    code = Number(process.exitCode ?? 0);
  } catch (error) {
    code = reportFailure(error);
  }
  process.exitCode = undefined;
  for (const spy of spies) spy.mockRestore();
  return { code, ...captured };
}
