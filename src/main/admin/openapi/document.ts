/**
 * Owns the description of the admin HTTP as a whole: OpenAPI 3.1. Main thread.
 */
import { version } from '../../version.js';
import { challenges } from '../access.js';
import { banRoutes, banSchemas } from './bans.js';
import { broadcastRoutes } from './broadcast.js';
import { doctorRoutes, doctorSchemas } from './doctor.js';
import { errorBody } from './error-body.js';
import { eventRoutes, eventSchemas } from './events.js';
import { historyRoutes, historySchemas } from './history.js';
import { lifecycleRoutes, lifecycleSchemas } from './lifecycle.js';
import { pageRoutes } from './pages.js';
import { peerRoutes, peerSchemas } from './peers.js';
import { errorOf, operationOf, type RouteDescriptions, type Tag } from './route-description.js';
import type { JsonSchema } from './schema.js';
import { statusRoutes, statusSchemas } from './status.js';

const description = `The admin HTTP of a PAW peer-to-peer node.

On loopback no token is needed. On any other address every call must bear the admin token, as \`Authorization: Bearer\` or
as the password of Basic (with any user name), which lets browsers in. Pages of other sites are refused, and there is no
CORS. Bodies are JSON, and a POST that has one, or comes from a browser, must say so in its content-type. Unknown fields are
errors, and so are unknown query parameters but for the pages.

A GET answers to HEAD, too. Times are ISO 8601. Bytes that are no HTTP request get 400, a request that does not arrive in
time 408, headers that are too large 431: all in the shape of the other errors.`;

const tags: Readonly<Record<Tag, string>> = {
  Node: 'The node as a whole',
  Peers: 'Peers that are connected, and addresses that are known',
  Bans: 'Who is kept away',
  History: 'What went wrong',
  Messages: 'Messages to peers',
  Pages: 'For people and programs that look around',
};

const schemas = [
  errorBody,
  ...statusSchemas,
  ...peerSchemas,
  ...banSchemas,
  ...historySchemas,
  ...eventSchemas,
  ...doctorSchemas,
  ...lifecycleSchemas,
];

const routes: RouteDescriptions = {
  ...statusRoutes,
  ...doctorRoutes,
  ...eventRoutes,
  ...lifecycleRoutes,
  ...peerRoutes,
  ...banRoutes,
  ...historyRoutes,
  ...broadcastRoutes,
  ...pageRoutes,
};

function pathsOf(described: RouteDescriptions): Record<string, Record<string, JsonSchema>> {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const [route, what] of Object.entries(described)) {
    const [method, path] = route.split(' ');
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(what) };
  }
  return paths;
}

const responses: Readonly<Record<string, JsonSchema>> = {
  Unauthorized: {
    ...errorOf('The token is missing or wrong'),
    headers: {
      'WWW-Authenticate': {
        description: `How to show it, one header each: ${challenges.join(' and ')}`,
        schema: { type: 'string' },
      },
    },
  },
  Forbidden: errorOf('The call comes from a page of another site, or, without a token, by a name that is no address'),
  Error: errorOf('Any other error; 500 is a fault of the node, and its log says more'),
};

/** The description, as `GET /openapi.json` answers it. */
export const openApiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'paw-p2p admin HTTP',
    version,
    description,
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
  // The last says that there may be no token at all.
  security: [{ bearer: [] }, { basic: [] }, {}],
  tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
  paths: pathsOf(routes),
  components: {
    schemas: Object.fromEntries(schemas.map(({ name, definition }) => [name, definition])),
    responses,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'The admin token' },
      basic: { type: 'http', scheme: 'basic', description: 'The admin token as password, with any user name' },
    },
  },
};
