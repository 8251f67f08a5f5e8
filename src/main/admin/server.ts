/**
 * Owns the admin HTTP server: who may call, what errors look like, start and stop. Main thread. Routes are in the
 * files beside it.
 */
import type { AddressInfo } from 'node:net';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Logger } from 'pino';
import { errorTrace } from '../../shared/error-trace.js';
import { NodeError } from '../../shared/errors.js';
import type { NodeView } from '../api.js';
import { formatAddress } from '../net/address.js';
import { challenges, checkAccess, isSimplePost } from './access.js';
import { AccessLog } from './access-log.js';
import { registerBanRoutes } from './ban-routes.js';
import { registerBroadcastRoutes } from './broadcast-routes.js';
import { adminLimits, answerUnreadable, LATE_CHECK_MS, limitConnections } from './connection-limits.js';
import { registerDashboardRoutes } from './dashboard-routes.js';
import { registerDoctorRoutes } from './doctor-routes.js';
import { errorAnswer, internalFault, notFound, sendError, wrongContentType } from './error-answer.js';
import { registerEventRoutes } from './event-routes.js';
import { registerHistoryRoutes } from './history-routes.js';
import { acceptJsonOnly } from './json-body.js';
import { registerOpenApiRoute } from './openapi-routes.js';
import { registerOperationRoutes } from './operation-routes.js';
import { registerPeerRoutes } from './peer-routes.js';
import { registerStatusRoutes } from './status-routes.js';

const BODY_BYTES_MAX = 64 * 1024;
/** An ID of 32 bytes, each of which may be escaped, behind `id:`, and room to say that longer ones are wrong. */
const PARAM_CHARS_MAX = 400;

export interface AdminOptions {
  readonly node: NodeView;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /**
   * Asked at each call, so that it can change. Null: no token is asked for; the address must be loopback then, which
   * configuration has checked.
   */
  readonly token: () => string | null;
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

  /** Stops at once: open connections are cut. No answer takes long but that of a dial, which is over then. */
  close(): Promise<void> {
    return this.#app.close();
  }
}

function cannotListen(address: string, error: NodeJS.ErrnoException): NodeError {
  const why = error.code === 'EADDRINUSE' ? 'the port is in use' : `${error.code ?? error.message}`;
  const message = `admin can't listen on ${address}: ${why}; name another with --admin`;
  return new NodeError('ERR_PAW_LISTEN', message, { cause: error });
}

/** Nothing here is for other sites to show, to frame or to guess the type of. There is no CORS. */
const commonHeaders = {
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function buildApp({ node, token, logger }: AdminOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: adminLimits.requestTimeoutMs,
    http: { connectionsCheckingInterval: LATE_CHECK_MS },
    forceCloseConnections: true,
    // While it closes the node tells so itself, in the shape of its other errors.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    clientErrorHandler: answerUnreadable,
    // Errors of the router pass by the hooks, so access is checked here as well.
    frameworkErrors: (error, request, reply) => {
      if (!refuse(request, reply)) answerError(error, request, reply);
    },
  });
  limitConnections(app.server, adminLimits);
  const accessLog = new AccessLog(logger);
  const refuse = refuser(token, accessLog);
  const answerError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const answer = errorAnswer(error);
    if (answer === null) {
      // Neither message nor query: either may quote what must not be in a log.
      const path = request.url.split('?', 1)[0];
      logger.error({ ...errorTrace(error), method: request.method, path }, 'admin request failed');
    }
    return sendError(reply, answer ?? internalFault);
  };
  app.addHook('onRequest', (request, reply, done) => {
    if (refuse(request, reply)) return;
    const { method, headers, is404 } = request;
    if (!is404 && isSimplePost(method, headers)) sendError(reply, wrongContentType);
    else done();
  });
  app.addHook('onClose', (_app, done) => {
    accessLog.close();
    done();
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, notFound(`there is no ${request.method} ${request.url}`)),
  );
  app.setErrorHandler(answerError);
  acceptJsonOnly(app);
  for (const register of [
    registerPeerRoutes,
    registerBanRoutes,
    registerHistoryRoutes,
    registerDoctorRoutes,
    registerOperationRoutes,
    registerBroadcastRoutes,
    registerDashboardRoutes,
    registerOpenApiRoute,
  ]) {
    register(app, node);
  }
  registerStatusRoutes(app, node, () => accessLog.refusedCalls);
  registerEventRoutes(app, node, token);
  return app;
}

/** Makes the check of who calls, which answers those that it refuses and says whether it did. */
function refuser(token: () => string | null, log: AccessLog) {
  return (request: FastifyRequest, reply: FastifyReply): boolean => {
    reply.headers(commonHeaders);
    const refusal = checkAccess(token(), request);
    if (refusal === null) return false;
    const { status, error, message } = refusal;
    if (status === 401) {
      log.refused(request.ip, request.headers.authorization !== undefined, performance.now());
      reply.header('www-authenticate', challenges);
    }
    sendError(reply, { status, body: { error, message } });
    return true;
  };
}
