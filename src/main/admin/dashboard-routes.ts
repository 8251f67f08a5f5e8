/**
 * Owns the dashboard's routes: the page at `/` and the fixed set of files that it needs. They are read when they are
 * first asked for. Nothing is fetched from another host, and the headers forbid the page to try. Main thread.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Modules of the page, compiled from the sources of the same names in `dashboard/`. */
const modules = [
  ...['actions', 'address-table', 'bans-table', 'charts', 'doctor-panel', 'element', 'event-log', 'event-source'],
  ...['event-text', 'format', 'node-client', 'notice', 'page', 'peer-order', 'peers-table', 'poll', 'question'],
  ...['rates', 'rows', 'staleness', 'summary', 'theme', 'timeline', 'troubles', 'workers-table'],
];

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const SVG = 'image/svg+xml';

/** Beside those that every answer of the admin HTTP has. */
const headers = {
  // uPlot sets styles on elements, which is no inline style to this policy.
  'content-security-policy': [
    "default-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
    // Nothing in the page can turn a text into HTML.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  // Another version may answer at this address tomorrow; to ask whether it is the same one is cheap.
  'cache-control': 'no-cache',
};

interface Asset {
  readonly type: string;
  readonly file: () => URL;
}

interface Loaded {
  readonly bytes: Buffer;
  readonly etag: string;
}

function own(name: string, type: string): Asset {
  return { type, file: () => new URL(`./dashboard/${name}`, import.meta.url) };
}

function ofUplot(name: string, type: string): Asset {
  return {
    type,
    file: () => {
      const main = createRequire(import.meta.url).resolve('uplot');
      return pathToFileURL(path.join(path.dirname(main), name));
    },
  };
}

const assets: ReadonlyMap<string, Asset> = new Map([
  ['/', own('page.html', HTML)],
  ['/dashboard/page.css', own('page.css', CSS)],
  ['/dashboard/icon.svg', own('icon.svg', SVG)],
  ['/dashboard/uplot.css', ofUplot('uPlot.min.css', CSS)],
  ['/dashboard/uplot.js', ofUplot('uPlot.esm.js', SCRIPT)],
  ...modules.map((name) => [`/dashboard/${name}.js`, own(`${name}.js`, SCRIPT)] as const),
]);

async function load({ file }: Asset): Promise<Loaded> {
  const bytes = await readFile(fileURLToPath(file()));
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

export function registerDashboardRoutes(app: FastifyInstance): void {
  for (const [url, asset] of assets) {
    let loaded: Promise<Loaded> | undefined;
    app.get(url, async (request: FastifyRequest, reply: FastifyReply) => {
      loaded ??= load(asset);
      const { bytes, etag } = await loaded.catch((error: Error) => {
        // Whoever asks next tries again.
        loaded = undefined;
        throw error;
      });
      reply.headers({ ...headers, etag });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply.type(asset.type).send(bytes);
    });
  }
}
