/**
 * Owns the admin HTTP server: who may call, what errors look like, start and stop. Main thread. Routes are in the
 * files beside it.
 */
import type { AddressInfo } from 'node:net';
import { type FastifyError, type FastifyInstance, fastify } from 'fastify';
import type { Logger } from 'pino';
import { NodeError } from '../../shared/errors.js';
import type { NodeView } from '../api.js';
import { formatAddress } from '../net/address.js';
import { checkAccess } from './access.js';
import { registerStatusRoutes } from './status-routes.js';

/** Bounds on what callers can hold; an admin address has few. */
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 64;

export interface AdminOptions {
  readonly node: NodeView;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Null: no token is asked for; the address must be loopback then, which configuration has checked. */
  readonly token: string | null;
  readonly logger: Logger;
}

/** A running admin server. */
export class AdminServer {
  readonly #app: FastifyInstance;
  /** `host:port` with the real port. */
  readonly address: string;

  private constructor(app: FastifyInstance, address: string) {
    this.#app = app;
    this.address = address;
  }

  /**
   * Starts the admin HTTP.
   * @throws NodeError ERR_PAW_LISTEN when the address can't be listened on
   */
  static async start(options: AdminOptions): Promise<AdminServer> {
    const { host, port } = options;
    const app = buildApp(options);
    try {
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      throw cannotListen(formatAddress(host, port), error as NodeJS.ErrnoException);
    }
    const bound = app.server.address() as AddressInfo;
    return new AdminServer(app, formatAddress(host, bound.port));
  }

  /** Stops at once: open connections are cut, since no answer takes long. */
  close(): Promise<void> {
    return this.#app.close();
  }
}

function cannotListen(address: string, error: NodeJS.ErrnoException): NodeError {
  const why = error.code === 'EADDRINUSE' ? 'the port is in use' : `${error.code ?? error.message}`;
  const message = `admin can't listen on ${address}: ${why}; name another with --admin`;
  return new NodeError('ERR_PAW_LISTEN', message, { cause: error });
}

function buildApp({ node, token, logger }: AdminOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  app.addHook('onRequest', async (request, reply) => {
    const refusal = checkAccess(token, request.headers);
    if (refusal === null) return;
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
    await reply.code(refusal.status).send({ error: refusal.error, message: refusal.message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'not_found', message: `there is no ${request.method} ${request.url}` }),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send({ error: 'bad_request', message: error.message });
    logger.error({ err: error, method: request.method, url: request.url }, 'admin request failed');
    return reply.code(status).send({ error: 'internal', message: 'the node failed to answer; its log says why' });
  });
  registerStatusRoutes(app, node);
  return app;
}
