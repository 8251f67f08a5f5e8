/**
 * Owns how JSON Schemas of answers and bodies are written down: each is typed as the shape it describes, so that a field
 * too many, missing or of another type does not compile. Main thread.
 */

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

declare const shape: unique symbol;

/** A schema of whatever values. */
export interface AnySchema {
  readonly json: JsonSchema;
  /** As a field: it need not be there. */
  readonly isOptional?: true;
}

/** A schema of values of exactly this type. */
export interface Schema<T> extends AnySchema {
  /** Never there; makes the compiler compare types both ways. */
  readonly [shape]?: (value: T) => T;
}

/** A schema that others refer to by name. */
export interface NamedSchema<T> extends Schema<T> {
  readonly name: string;
  readonly definition: JsonSchema;
}

/** Units of what is no plain number. */
export type Unit = 'bytes' | 'milliseconds' | 'seconds';

type Fields<T> = { readonly [K in keyof T]-?: Schema<Exclude<T[K], undefined>> };

export function anything(description: string): Schema<unknown> {
  return { json: { description } };
}

export function text(description: string, ...examples: readonly string[]): Schema<string> {
  return { json: { type: 'string', description, ...(examples.length > 0 && { examples }) } };
}

/** A moment, as ISO 8601. */
export function moment(description: string): Schema<string> {
  return { json: { type: 'string', format: 'date-time', description: `${description}, as ISO 8601` } };
}

export function flag(description: string): Schema<boolean> {
  return { json: { type: 'boolean', description } };
}

export function choice<const T extends string>(values: readonly T[], description: string): Schema<T> {
  return { json: { type: 'string', enum: values, description } };
}

/** How many there are of what `things` names. */
export function count(things: string): Schema<number> {
  return integer(0, null, `Number of ${things}`);
}

export function quantity(unit: Unit, description: string): Schema<number> {
  return { json: { type: 'number', minimum: 0, description: `${description}, in ${unit}` } };
}

export function integer(min: number, max: number | null, description: string): Schema<number> {
  return { json: { type: 'integer', minimum: min, ...(max !== null && { maximum: max }), description } };
}

export function nullable<T>(schema: Schema<T>, when: string): Schema<T | null> {
  const { description, type, ...rest } = schema.json;
  const told = `${description === undefined ? '' : `${description}; `}null ${when}`;
  return typeof type === 'string'
    ? { json: { type: [type, 'null'], ...rest, description: told } }
    : { json: { anyOf: [schema.json, { type: 'null' }], description: told } };
}

export function optional<T>(schema: Schema<T>): Schema<T> {
  return { ...schema, isOptional: true };
}

export function listOf<T>(items: Schema<T>, description: string): Schema<readonly T[]> {
  return { json: { type: 'array', items: items.json, description } };
}

/** An object whose names are data. */
export function mapOf<T>(values: Schema<T>, description: string): Schema<Readonly<Record<string, T>>> {
  return { json: { type: 'object', additionalProperties: values.json, description } };
}

/** An object of these fields and no others. */
export function objectOf<T>(description: string, fields: Fields<T>): Schema<T> {
  const entries = Object.entries<AnySchema>(fields);
  const required = entries.filter(([, { isOptional }]) => isOptional !== true).map(([name]) => name);
  const properties = Object.fromEntries(entries.map(([name, { json }]) => [name, json]));
  return { json: { type: 'object', description, properties, required, additionalProperties: false } };
}

export function named<T>(name: string, schema: Schema<T>): NamedSchema<T> {
  return { name, definition: schema.json, json: { $ref: `#/components/schemas/${name}` } };
}
