/** What the system and the admin HTTP say of a node that runs as a process of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';

/** Ticks of the processor time in /proc: a constant of the Linux ABI. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** The part of `GET /status` that the attacks look at. */
export interface Status {
  readonly peers: { readonly total: number };
  readonly connections: { readonly handshaking: number };
  readonly workers: readonly { readonly lagMs: number; readonly restarts: number }[];
  readonly memory: { readonly used: number; readonly budget: number };
  readonly eventLoopLagMs: number;
}

export class NodeProcess {
  readonly pid: number;
  readonly #admin: string;

  constructor(pid: number, admin: string) {
    this.pid = pid;
    this.#admin = admin;
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
}
