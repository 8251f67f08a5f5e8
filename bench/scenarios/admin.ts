/** The admin HTTP under load, while the node passes on the traffic of a busy chain. */
import { createRequire } from 'node:module';
import { withPrograms } from '../measure.js';
import type { Run } from '../result.js';
import type { Scenario, Settings } from '../scenario.js';
import { PEERS, relayAll, watchTraffic } from './mixed.js';

const RATE = 1000;
const HTTP_CONNECTIONS = 10;

interface HttpFigures {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  readonly failed: number;
}

function asked(route: string | null, peers: number, settings: Settings) {
  return (): Promise<Run> =>
    withPrograms(async (start) => {
      const node = { workers: settings.workers, admin: '127.0.0.1:0', ...relayAll };
      const target = await start('targets/node.js', { node });
      const ratePerSecond = settings.smoke ? 100 : RATE;
      const chain = await start('load/chain.js', { port: target.port, peers, ratePerSecond });
      if (route === null) return watchTraffic(target, chain, settings.seconds);
      const url = `http://${await target.ask<string>('admin')}${route}`;
      const http = await start('load/http.js', { url, connections: HTTP_CONNECTIONS });
      const [figures, run] = await Promise.all([
        http.ask<HttpFigures>('load', Math.ceil(settings.seconds + 0.5)),
        watchTraffic(target, chain, settings.seconds),
      ]);
      if (figures.failed > 0) throw new Error(`${figures.failed} requests of ${url} failed`);
      return { ...run, values: { ...run.values, requests: figures.requestsPerSecond, http: figures.p99Ms } };
    });
}

export const admin: Scenario = {
  name: 'admin',
  title: 'autocannon against the admin HTTP while mixed traffic flows',
  metrics: [
    { key: 'requests', title: 'requests answered', unit: 'requests/s', better: 'more' },
    { key: 'http', title: '99th percentile of answers', unit: 'ms', better: 'less' },
    { key: 'messages', title: 'messages delivered meanwhile', unit: 'messages/s', better: 'more' },
    { key: 'p99', title: '99th percentile of message latency', unit: 'µs', better: 'less' },
  ],
  goals: [],
  notes: [
    `${RATE} messages a second are passed on between ${PEERS} peers. autocannon has ${HTTP_CONNECTIONS} connections.`,
  ],
  missing: () => {
    try {
      createRequire(import.meta.url).resolve('autocannon');
      return null;
    } catch {
      return "autocannon, which 'npm install autocannon' brings";
    }
  },
  cases: (settings) => {
    const peers = settings.smoke ? 2 : PEERS;
    return [null, '/status', '/metrics'].map((route) => ({
      name: route ?? 'nobody asks',
      parameters: {},
      targets: { node: asked(route, peers, settings) },
    }));
  },
};
