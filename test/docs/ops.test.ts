import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ExitCode } from '../../src/main/cli/exit.js';
import { resolveSettings } from '../../src/main/config/resolve.js';
import { DIALS_IN_FLIGHT } from '../../src/shared/limits.js';
import { root } from '../architecture/source-files.js';

const unit = readFileSync(path.join(root, 'ops/paw-p2p.service'), 'utf8');
const dockerfile = readFileSync(path.join(root, 'ops/Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
const folder = mkdtempSync(path.join(tmpdir(), 'paw-ops-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Values of a setting of the unit, comments left out. */
function settings(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);
}

/** What follows an instruction of the Dockerfile, each time. */
function instructions(name: string): string[] {
  return [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest]) => rest);
}

/** systemd looks whether the program can be run, and it is not installed here: node is, in its place. */
function unitFor(program: string): string {
  const file = path.join(folder, 'paw-p2p.service');
  writeFileSync(file, unit.replace(/^(ExecStart=)\S+/m, `$1${program}`));
  return file;
}

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('the systemd unit', () => {
  it.skipIf(!hasSystemd)('is one that systemd has nothing to say about', () => {
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', unitFor(process.execPath)], {
      encoding: 'utf8',
    });
    // It looks at units of this machine as well, which are none of ours.
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('paw-p2p'))).toEqual([]);
    expect(status).toBe(0);
    const score = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unitFor(process.execPath)]);
    // For information: what counts as exposed differs between versions.
    console.info(score.stdout.toString().trim().split('\n').at(-1));
  });

  it('gives the node the time that it takes to stop, and does not start a wrong configuration again', () => {
    const { shutdownTimeoutMs } = resolveSettings({});
    expect(Number(settings('TimeoutStopSec')) * 1000).toBeGreaterThan(2 * shutdownTimeoutMs);
    expect(settings('RestartPreventExitStatus')).toEqual([String(ExitCode.Usage)]);
    expect(settings('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
    // The check of the store is a process of its own: what dies of a signal looks damaged.
    expect(settings('KillMode')).toEqual(['mixed']);
  });

  it('allows as many files as the largest node needs', () => {
    const largest = resolveSettings({ flags: { maxPeers: '10000', workers: '64', memoryBudget: '8GiB' } });
    const strangers = 256 + 256;
    const own = 30 + 4 * largest.workers;
    const needed = largest.maxPeers + 32 + strangers + DIALS_IN_FLIGHT + 64 + own;
    expect(Number(settings('LimitNOFILE'))).toBeGreaterThan(needed);
  });

  it('leaves the node what it needs: compiled code, and a look at the processes that may hold its data directory', () => {
    for (const name of ['MemoryDenyWriteExecute', 'ProtectProc', 'ProcSubset']) expect(settings(name)).toEqual([]);
    expect(settings('ExecStart').join()).not.toContain('token');
  });
});

describe('the Dockerfile', () => {
  it('copies what there is and what its context has', () => {
    const ignored = readFileSync(path.join(root, '.dockerignore'), 'utf8').split('\n');
    const copied = instructions('COPY')
      .filter((rest) => !rest.startsWith('--from'))
      .flatMap((rest) => rest.split(' ').slice(0, -1));
    const needed = ['tsconfig.json', 'tsconfig.build.json', 'src', 'bench', ...copied.filter((name) => name !== '.')];
    expect(needed).toContain('package-lock.json');
    expect(needed.filter((name) => !existsSync(path.join(root, name)) || ignored.includes(name))).toEqual([]);
  });

  it('runs a Node that the package takes, as a user that is not root, from the lock file alone', () => {
    const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      engines: { node: string };
    };
    const least = Number(/\d+/.exec(engines.node)?.[0]);
    expect(Number(/NODE_VERSION=(\d+)/.exec(dockerfile)?.[1])).toBeGreaterThanOrEqual(least);
    expect(instructions('USER')).toEqual(['node']);
    expect(instructions('STOPSIGNAL')).toEqual(['SIGTERM']);
    const installs = instructions('RUN').filter((command) => command.includes('npm ') && !command.includes('npm run'));
    for (const command of installs) expect(command).toMatch(/^npm ci .*--ignore-scripts/);
  });

  it.each([
    ['healthy', 200, {}, 0],
    ['draining', 503, {}, 1],
    ['alive whose token it does not know', 401, {}, 0],
    ['healthy for who bears the token', 200, { PAW_ADMIN_TOKEN: 'secret' }, 0],
    ['healthy, on all addresses', 200, { PAW_ADMIN: '0.0.0.0', PAW_ADMIN_TOKEN: 'secret' }, 0],
    ['healthy, on all addresses of both kinds', 200, { PAW_ADMIN: '[::]', PAW_ADMIN_TOKEN: 'secret' }, 0],
  ])('finds a node %s', async (_, status, { PAW_ADMIN: host = '127.0.0.1', ...env }: Record<string, string>, exit) => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url, request.headers.authorization);
      response.writeHead(status).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await checkHealth({ ...env, PAW_ADMIN: `${host}:${port}` })).toBe(exit);
    expect(asked).toEqual(['/health', env.PAW_ADMIN_TOKEN === undefined ? undefined : 'Bearer secret']);
    await new Promise((resolve) => server.close(resolve));
    if (status === 200) expect(await checkHealth({ ...env, PAW_ADMIN: `${host}:${port}` })).toBe(1);
  });
});

it('the health check of the image finds nothing wrong with a node that has no admin HTTP', async () => {
  expect(await checkHealth({ PAW_ADMIN: 'off' })).toBe(0);
});

/** Runs the image's health check here. @returns its exit code */
function checkHealth(env: Readonly<Record<string, string>>): Promise<number | null> {
  const [check] = instructions('HEALTHCHECK');
  const [, ...args] = JSON.parse(check.slice(check.indexOf('CMD') + 'CMD'.length)) as string[];
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
}
