/**
 * Looks whether a store can be read, in a process of its own: LMDB maps its file into memory, and a damaged one may end
 * the process that reads it. Run with the store's directory.
 */
import { constants } from 'node:os';
import { CheckResult } from './check-result.js';
import { openEnvironment, SCHEMA_KEY, SCHEMA_VERSION } from './environment.js';

const damaged = (): never => process.exit(CheckResult.Damaged);
// What hinders the reader says nothing of what is read: then Node ends with a code of its own.
const { EACCES, EMFILE, ENFILE, ENOMEM, EPERM } = constants.errno;
const hindrances: readonly unknown[] = [EACCES, EMFILE, ENFILE, ENOMEM, EPERM];
process.on('uncaughtException', (error: { readonly code?: unknown }) => {
  if (hindrances.includes(error.code)) process.exit(1);
  damaged();
});

const { root, tables } = openEnvironment(process.argv[2]!, true);
let isEmpty = true;
for (const table of Object.values(tables)) {
  for (const { key, value } of table.getRange()) {
    if (typeof key !== 'string' || value === undefined) damaged();
    isEmpty = false;
  }
}
const version = tables.meta.get(SCHEMA_KEY);
await root.close();
// A node that died before its first commit left nothing, no version either.
const isOurs = version === SCHEMA_VERSION || (version === undefined && isEmpty);
process.exit(isOurs ? CheckResult.Sound : CheckResult.OtherVersion);
