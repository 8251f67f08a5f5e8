/** Runs the compiled program as a user does, and cleans up what it started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { root } from '../architecture/source-files.js';

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const program = join(root, 'dist/src/main/cli/main.js');
const running: ChildProcess[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'paw-e2e-'));
  folders.push(folder);
  return folder;
}

/** Starts the program; its output is collected, and `line` waits for one. */
export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly exit: Promise<Output>;

  /** @param wrapper a command that the program is started by, such as prlimit with its arguments */
  constructor(args: readonly string[], env: Record<string, string> = {}, wrapper: readonly string[] = []) {
    const [command, ...rest] = [...wrapper, process.execPath, program, ...args];
    this.child = spawn(command!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Tests use loopback only: no node of theirs asks the seeds of the real chain.
      env: { ...process.env, NO_COLOR: '1', PAW_SEEDS: '', ...env },
    });
    running.push(this.child);
    this.child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data.toString();
    });
    this.child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.exit = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** The first line of standard output that has `text`. */
  async line(text: string, timeoutMs = 15_000): Promise<string> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const found = this.stdout
        .split('\n')
        .slice(0, -1)
        .find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (performance.now() > endMs || this.child.exitCode !== null) {
        throw new Error(`no line with '${text}' in:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export function run(args: readonly string[], env: Record<string, string> = {}): Promise<Output> {
  return new Program(args, env).exit;
}

export interface Ready {
  readonly nodeId: string;
  readonly chainId: string;
  readonly listen: string;
  readonly admin: string;
}

/** Starts `node` on free loopback ports. */
export function nodeProgram(args: readonly string[] = [], wrapper: readonly string[] = []): Program {
  const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-format', 'json'];
  const all = ['node', ...ports, '--chain-id', 'paw-e2e', '--data-dir', tempFolder(), ...args];
  return new Program(all, {}, wrapper);
}

/** Starts `node` and waits until it is ready. */
export async function startNodeCommand(
  args: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<{ node: Program; ready: Ready }> {
  const node = nodeProgram(args, wrapper);
  return { node, ready: JSON.parse(await node.line('node ready')) as Ready };
}
