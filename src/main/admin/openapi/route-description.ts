/**
 * Owns how a route is described, and the OpenAPI that is made of it. Main thread.
 */
import type { AnySchema, JsonSchema } from './schema.js';

export type Tag = 'Node' | 'Peers' | 'Bans' | 'History' | 'Messages' | 'Pages';

export interface Parameter {
  readonly in: 'path' | 'query';
  readonly schema: AnySchema;
  readonly example?: string | number;
}

export interface Body {
  readonly isRequired: boolean;
  readonly schema: AnySchema;
  readonly example?: unknown;
}

export interface Answer {
  readonly description: string;
  /** Content type, JSON unless said otherwise. */
  readonly type?: string;
  readonly schema: AnySchema;
  readonly example?: unknown;
  /** Server-sent events: what `data` of each holds, beside its time. */
  readonly events?: Readonly<Record<string, AnySchema>>;
}

export interface RouteDescription {
  /** Name of the operation, for generated clients. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  readonly body?: Body;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Answers without a body, by status. */
  readonly empty?: Readonly<Record<number, string>>;
  /** What can be wrong, by status, beside what can be wrong with every call. */
  readonly errors?: Readonly<Record<number, string>>;
}

/** By `METHOD /path/{parameter}`. */
export type RouteDescriptions = Readonly<Record<`${'GET' | 'POST' | 'DELETE'} /${string}`, RouteDescription>>;

/** An OpenAPI operation object. */
export function operationOf(route: RouteDescription): JsonSchema {
  const { id, tag, summary, description, parameters = {}, body, answers, empty = {}, errors = {} } = route;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(Object.keys(parameters).length > 0 && { parameters: Object.entries(parameters).map(parameterOf) }),
    ...(body !== undefined && { requestBody: bodyOf(body) }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
      ...Object.fromEntries(Object.entries(empty).map(([status, why]) => [status, { description: why }])),
      ...Object.fromEntries(Object.entries(errors).map(([status, why]) => [status, errorOf(why)])),
      401: { $ref: '#/components/responses/Unauthorized' },
      403: { $ref: '#/components/responses/Forbidden' },
      default: { $ref: '#/components/responses/Error' },
    },
  };
}

/** An answer that is an error. */
export function errorOf(description: string): JsonSchema {
  return { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } };
}

function parameterOf([name, { in: where, schema, example }]: [string, Parameter]): JsonSchema {
  const { description, ...rest } = schema.json;
  return {
    name,
    in: where,
    description,
    required: where === 'path',
    schema: rest,
    ...(example !== undefined && { example }),
  };
}

function bodyOf({ isRequired, schema, example }: Body): JsonSchema {
  const media = { schema: schema.json, ...(example !== undefined && { example }) };
  return { required: isRequired, content: { 'application/json': media } };
}

function answerOf({ description, type = 'application/json', schema, example, events }: Answer): JsonSchema {
  const media = {
    schema: schema.json,
    ...(example !== undefined && { example }),
    ...(events !== undefined && {
      'x-events': Object.fromEntries(Object.entries(events).map(([name, { json }]) => [name, json])),
    }),
  };
  return { description, content: { [type]: media } };
}
