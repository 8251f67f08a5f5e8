/** Holds answers of the admin HTTP against its description. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer } from './fake-node.js';

interface Media {
  readonly schema: object;
  readonly example?: unknown;
  readonly 'x-events'?: Readonly<Record<string, object>>;
}

interface Response {
  readonly $ref?: string;
  readonly description?: string;
  readonly content?: Readonly<Record<string, Media>>;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
}

/** What of an OpenAPI document is looked at. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

/** The operations of a document by `METHOD /path/{parameter}`. */
export function operationsOf({ paths }: Document): Map<string, Operation> {
  return new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, what]) => [`${method.toUpperCase()} ${path}`, what as Operation]),
    ),
  );
}

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
ajv.addVocabulary(['components']);
ajv.addFormat('date-time', (text: string) => !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text);
const validators = new WeakMap<object, ValidateFunction>();

/** What of a value is not as a schema of the document says; null if nothing. */
export function faultOf({ components }: Document, schema: object, value: unknown): string | null {
  let validate = validators.get(schema);
  if (validate === undefined) {
    validate = ajv.compile({ ...schema, components });
    validators.set(schema, validate);
  }
  return validate(value) ? null : ajv.errorsText(validate.errors);
}

/** What of an answer is not as described; null if nothing. An answer of no route must be an error. */
export function faultOfAnswer(document: Document, method: string, url: string, answer: Answer): string | null {
  const [path] = url.split('?');
  const route = [...operationsOf(document)].find(
    ([name]) => name.startsWith(`${method === 'HEAD' ? 'GET' : method} `) && templateOf(name).test(path),
  );
  const told = route?.[1].responses[answer.status] ?? { $ref: '#/components/responses/Error' };
  const response = told.$ref === undefined ? told : document.components.responses[told.$ref.split('/').at(-1)!];
  const where = `${method} ${url} -> ${answer.status}`;
  const type = answer.headers['content-type']?.split(';')[0] ?? '';
  if (response.content === undefined && answer.text === '') return null;
  const media = response.content?.[type] ?? response.content?.['*/*'];
  if (media === undefined) return `${where}: '${type}' is not described`;
  if (method === 'HEAD') return null;
  const fault = faultOf(document, media.schema, type === 'application/json' ? answer.json : answer.text);
  return fault === null ? null : `${where}: ${fault}`;
}

function templateOf(route: string): RegExp {
  const path = route.slice(route.indexOf(' ') + 1).replaceAll('.', '\\.');
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}
