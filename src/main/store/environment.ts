/**
 * Owns how the LMDB environment of a store is opened: its file, its tables, its version. Used by the store and by the
 * check that runs before it.
 */
import path from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';

export const tables = ['addresses', 'bans', 'offences', 'reputation', 'meta'] as const;
export type Table = (typeof tables)[number];

export const SCHEMA_KEY = 'schema';
export const SCHEMA_VERSION = 1;
const FILE = 'data.mdb';

export interface Environment {
  /** The file with the data. */
  readonly file: string;
  readonly root: RootDatabase;
  readonly tables: Readonly<Record<Table, Database<unknown, string>>>;
}

/** Opens the environment in a directory that exists. @throws Error for what LMDB can't read or write */
export function openEnvironment(directory: string, readOnly: boolean): Environment {
  const file = path.join(directory, FILE);
  const root = open({
    path: file,
    noSubdir: true,
    maxDbs: tables.length,
    readOnly,
    // With it every commit waits for the disk, whatever its flags say, and the main thread with it.
    overlappingSync: false,
  });
  const opened = tables.map((name) => [name, root.openDB<unknown, string>({ name, encoding: 'msgpack' })] as const);
  return { file, root, tables: Object.fromEntries(opened) as Environment['tables'] };
}
