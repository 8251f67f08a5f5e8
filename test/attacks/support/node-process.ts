/** What the system and the admin HTTP say of a node that runs as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../architecture/source-files.js';

/** The chain that everybody under `support/` and `attackers/` says. */
const CHAIN_ID = 'paw-attacks';
/** What is kept of the log. */
const MAX_SAID = 16_384;

/** Ticks of the processor time in /proc: a constant of the Linux ABI. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

interface HistoryEntry {
  readonly kind: string;
  readonly peerId: string | null;
  readonly name: string;
  readonly detail: string;
}

/** The part of `GET /status` that the attacks look at. */
export interface Status {
  readonly peers: { readonly total: number };
  readonly connections: { readonly handshaking: number };
  readonly workers: readonly { readonly lagMs: number; readonly restarts: number }[];
  readonly memory: { readonly used: number; readonly budget: number };
  readonly eventLoopLagMs: number;
  readonly lastHour: readonly { readonly kind: string; readonly code: number; readonly count: number }[];
}

const program = join(root, 'dist/src/main/cli/main.js');
const START_MS = 15_000;

export class NodeProcess {
  readonly port: number;
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #admin: string;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string, ready: { nodeId: string; listen: string; admin: string }) {
    this.#child = child;
    this.#folder = folder;
    this.id = ready.nodeId;
    this.port = Number(ready.listen.slice(ready.listen.lastIndexOf(':') + 1));
    this.#admin = ready.admin;
  }

  /** Starts `paw-p2p node` on free loopback ports, and waits until it is ready. */
  static async start(options: readonly string[]): Promise<NodeProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'paw-attacks-'));
    const ports = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-format', 'json'];
    const child = spawn(
      process.execPath,
      [program, 'node', ...ports, '--chain-id', CHAIN_ID, '--data-dir', folder, ...options],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PAW_SEEDS: '' } },
    );
    const ready = await new Promise<string>((resolve, reject) => {
      let said = '';
      const late = setTimeout(() => reject(new Error(`the node is not ready: ${said}`)), START_MS);
      child.once('exit', (code) => reject(new Error(`the node ended with ${code}: ${said}`)));
      // Read to the end: a full pipe would hold up the log.
      child.stdout!.on('data', (data: Buffer) => {
        said = (said + data.toString()).slice(-MAX_SAID);
        const line = said.split('\n').find((one) => one.includes('node ready') && one.endsWith('}'));
        if (line === undefined) return;
        clearTimeout(late);
        resolve(line);
      });
    });
    return new NodeProcess(child, folder, JSON.parse(ready));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Asks it to close, as an operator would. @returns its exit code */
  async end(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
    return this.#child.exitCode;
  }

  get residentBytes(): number {
    return Number(readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Processor time of all its threads so far. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    // The name stands in brackets and may have spaces in it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  }

  /** Asks the admin HTTP, over a connection of its own that is gone afterwards. */
  ask(path: string): Promise<{ readonly code: number; readonly body: unknown }> {
    return new Promise((resolve, reject) => {
      const request = get(`http://${this.#admin}${path}`, { agent: false }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(pieces).toString()) }),
        );
      });
      request.on('error', reject);
    });
  }

  async status(): Promise<Status> {
    return (await this.ask('/status')).body as Status;
  }

  /** Why a peer was last disconnected, null if it was not. */
  async endOf(peerId: string): Promise<string | null> {
    const { entries } = (await this.ask('/history?limit=10000')).body as { entries: readonly HistoryEntry[] };
    const end = entries.find((entry) => entry.kind === 'disconnected' && entry.peerId === peerId);
    return end === undefined ? null : `${end.name}: ${end.detail}`;
  }

  /** How often something happened within the last hour, of one kind and error code. */
  async countOf(kind: string, code: number): Promise<number> {
    const { lastHour } = await this.status();
    return lastHour.find((one) => one.kind === kind && one.code === code)?.count ?? 0;
  }
}
