/** Load: autocannon against a URL. */
import { optionsOf, serve } from '../channel.js';

interface AutocannonResult {
  readonly requests: { readonly average: number };
  readonly latency: { readonly p99: number };
  readonly errors: number;
  readonly non2xx: number;
}
type Autocannon = (options: { url: string; connections: number; duration: number }) => Promise<AutocannonResult>;

const { url, connections } = optionsOf<{ readonly url: string; readonly connections: number }>();

serve(0, {
  load: async (seconds: number) => {
    // Not among the package's dependencies: nothing but this scenario needs it, which is left out where it is missing.
    const name = 'autocannon';
    const autocannon = (await import(name)).default as Autocannon;
    const result = await autocannon({ url, connections, duration: seconds });
    return {
      requestsPerSecond: result.requests.average,
      p99Ms: result.latency.p99,
      failed: result.errors + result.non2xx,
    };
  },
});
