/** The description of the admin HTTP: complete, well formed, and what the routes do. */
import { channel } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { errorNames } from '../../../src/main/admin/error-answer.js';
import { openApiDocument } from '../../../src/main/admin/openapi/document.js';
import type { AdminServer } from '../../../src/main/admin/server.js';
import { drainTimeMs } from '../../../src/main/drain-request.js';
import { banTimeMs } from '../../../src/main/peers/ban-request.js';
import { faultOf, faultOfAnswer, operationsOf } from './description.js';
import { call, fakeNode, startAdmin, status } from './fake-node.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** The routes that fastify has, as the description writes them. */
async function routesOfServer(): Promise<string[]> {
  const routes: string[] = [];
  const watch = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', ({ method, url }) => {
      const path = url.replaceAll(/:(\w+)/g, '{$1}').replace(/^\/dashboard\/.*/, '/dashboard/{asset}');
      for (const one of [method].flat()) routes.push(`${one} ${path}`);
    });
  };
  const made = channel('fastify.initialization');
  made.subscribe(watch);
  server = await startAdmin();
  made.unsubscribe(watch);
  return routes;
}

const operations = operationsOf(openApiDocument);
const { schemas, responses } = openApiDocument.components;

/** Every object within a value, with where it is. */
function* objectsIn(value: unknown, path = ''): Generator<[path: string, value: Readonly<Record<string, unknown>>]> {
  if (typeof value !== 'object' || value === null) return;
  yield [path, value as Readonly<Record<string, unknown>>];
  for (const [name, inner] of Object.entries(value)) yield* objectsIn(inner, `${path}/${name}`);
}

describe('the description', () => {
  test('has every route, and no route that there is not', async () => {
    const routes = [...new Set(await routesOfServer())].filter((route) => !route.startsWith('HEAD '));
    expect(routes.length).toBeGreaterThan(15);
    expect(routes.sort()).toEqual([...operations.keys()].sort());
  });

  test('is OpenAPI 3.1 by its structure', () => {
    const { openapi, info, tags, paths, security, components } = openApiDocument;
    expect(openapi).toMatch(/^3\.1\.\d$/);
    expect(info).toMatchObject({ title: expect.any(String), version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    for (const requirement of security) {
      for (const name of Object.keys(requirement)) expect(Object.keys(components.securitySchemes)).toContain(name);
    }
    for (const [path, methods] of Object.entries(paths)) {
      expect(path).toMatch(/^\//);
      for (const method of Object.keys(methods)) expect(['get', 'post', 'delete']).toContain(method);
    }
    for (const [route, operation] of operations) {
      expect([route, Object.keys(operation).sort()]).toEqual([
        route,
        expect.arrayContaining(['operationId', 'responses', 'summary', 'tags']),
      ]);
      expect(tags.map(({ name }) => name)).toContain(operation.tags[0]);
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect([route, inPath.map(({ name }) => `{${name}}`)]).toEqual([route, route.match(/\{\w+\}/g) ?? []]);
      expect(inPath.every(({ required }) => required)).toBe(true);
      for (const [code, response] of Object.entries(operation.responses)) {
        expect(code).toMatch(/^([1-5]\d\d|default)$/);
        expect(response).toMatchObject(response.$ref === undefined ? { description: expect.any(String) } : {});
      }
    }
    const ids = [...operations.values()].map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('refers to what there is, and has nothing that nobody refers to', () => {
    const refs = [...objectsIn(openApiDocument)].flatMap(([, { $ref }]) => (typeof $ref === 'string' ? [$ref] : []));
    const all = [
      ...Object.keys(schemas).map((name) => `#/components/schemas/${name}`),
      ...Object.keys(responses).map((name) => `#/components/responses/${name}`),
    ];
    expect([...new Set(refs)].sort()).toEqual(all.sort());
  });

  test('has schemas that are valid, closed and described', () => {
    for (const [name, schema] of Object.entries(schemas)) {
      // Compiles in strict mode.
      expect([name, typeof faultOf(openApiDocument, schema, null)]).toEqual([name, 'string']);
      expect([name, schema]).toEqual([name, expect.objectContaining({ description: expect.any(String) })]);
      for (const [path, { type, properties, additionalProperties }] of objectsIn(schema)) {
        if (type !== 'object') continue;
        const isClosed =
          properties === undefined ? typeof additionalProperties === 'object' : additionalProperties === false;
        expect([name, path, isClosed]).toEqual([name, path, true]);
      }
      for (const [path, { properties }] of objectsIn(schema)) {
        for (const [field, one] of Object.entries((properties ?? {}) as Record<string, Record<string, unknown>>)) {
          const isTold = typeof (one.description ?? one.$ref) === 'string';
          expect([name, path, field, isTold]).toEqual([name, path, field, true]);
        }
      }
    }
  });

  test('says of each number of the status what its unit is', () => {
    const numbers = ['NodeStatus', 'WorkerStatus', 'HourCount', 'DrainStatus', 'PeerInfo'].flatMap((name) =>
      [...objectsIn(schemas[name], name)].filter(([, { type }]) =>
        [type].flat().some((one) => one === 'number' || one === 'integer'),
      ),
    );
    expect(numbers.length).toBeGreaterThan(60);
    const unit = /^Number of |, in (bytes|milliseconds|seconds)(;|$)|from 0 to 100|^Index of |^Error code/;
    const bare = numbers.filter(([, { description }]) => !unit.test(String(description)));
    expect(bare.map(([path]) => path)).toEqual([]);
    const named = /\/(rss|budget|used)$|(Ms|Seconds|Bytes)$/;
    for (const [path, { description }] of numbers.filter(([where]) => named.test(where))) {
      expect([path, description]).toEqual([path, expect.stringMatching(/, in (bytes|milliseconds|seconds)/)]);
    }
  });

  test('allows those numbers as times that the node takes', () => {
    const bodyOf = (path: string) => operations.get(`POST ${path}`)?.requestBody?.content['application/json']?.schema;
    const takes = (read: (time: number) => unknown, time: number): boolean => {
      try {
        read(time);
        return true;
      } catch {
        return false;
      }
    };
    const dayMs = 86_400_000;
    const numbers = [-1, 0, 0.5, 1, 1.5, 60_000, dayMs, dayMs + 1, 36_500 * dayMs, 36_500 * dayMs + 1, 1e300];
    const drains = numbers.filter((within) => faultOf(openApiDocument, bodyOf('/drain')!, { within }) === null);
    expect(drains).toEqual(numbers.filter((time) => takes(drainTimeMs, time)));
    const bans = numbers.filter(
      (time) => faultOf(openApiDocument, bodyOf('/bans')!, { target: 'x', for: time }) === null,
    );
    expect(bans).toEqual(numbers.filter((time) => takes(banTimeMs, time)));
    const { within } = (bodyOf('/drain') as { properties: { within: { default: string } } }).properties;
    expect(drainTimeMs(within.default)).toBe(drainTimeMs(undefined));
  });

  test('has examples that are as their schemas say', () => {
    let examples = 0;
    const check = (path: string, schema: object, value: unknown): void => {
      examples++;
      expect([path, faultOf(openApiDocument, schema, value)]).toEqual([path, null]);
    };
    for (const [path, { schema, example, examples: several, ...rest }] of objectsIn(openApiDocument)) {
      if (example !== undefined) check(path, schema as object, example);
      if (Array.isArray(several)) for (const one of several) check(path, rest, one);
    }
    expect(examples).toBeGreaterThan(20);
  });

  test('is answered as it is, and is small', async () => {
    server = await startAdmin();
    const { headers, json, text: sent } = await call(server, '/openapi.json');
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(json).toEqual(JSON.parse(JSON.stringify(openApiDocument)));
    expect(sent.length).toBeLessThan(100_000);
  });

  test('names all kinds of errors', () => {
    expect(schemas.Error).toMatchObject({ properties: { error: { enum: errorNames } } });
  });
});

describe('every answer', () => {
  const answer = (json: unknown, code = 200, type = 'application/json') => ({
    status: code,
    headers: { 'content-type': type },
    text: JSON.stringify(json),
    json,
  });
  const fault = (url: string, one: ReturnType<typeof answer>) => faultOfAnswer(openApiDocument, 'GET', url, one);

  test('of the fake node is as described: routes that have no test of their own', async () => {
    server = await startAdmin();
    for (const path of ['/config', '/metrics', '/openapi.json', '/health', '/status']) {
      expect((await call(server, path)).status).toBe(200);
      expect((await call(server, path, { method: 'HEAD' })).status).toBe(200);
    }
  });

  test('that is not as described is found: the tests would tell', () => {
    expect(fault('/status', answer(status))).toBe(null);
    expect(fault('/status', answer({ ...status, more: 1 }))).toContain('must NOT have additional properties');
    const { gossip: _, ...less } = status;
    expect(fault('/status', answer(less))).toContain("must have required property 'gossip'");
    expect(fault('/status', answer({ ...status, bytes: { received: -1, sent: '1' } }))).toContain('must be >= 0');
    expect(fault('/status', answer({ ...status, draining: null }))).toBe(null);
    expect(fault('/status', answer(status, 202))).not.toBe(null);
    expect(fault('/status', answer(status, 200, 'text/plain'))).toContain('is not described');
    expect(fault('/nowhere', answer({ error: 'not_found', message: 'm' }, 404))).toBe(null);
    expect(fault('/nowhere', answer({ error: 'another', message: 'm' }, 404))).not.toBe(null);
    const peers = { peers: [{ ...peerOf(), state: 'connected' }] };
    expect(fault('/peers', answer(peers))).toContain('allowed values');
  });
});

function peerOf() {
  return fakeNode().peers()[0];
}
