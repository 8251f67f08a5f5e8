/**
 * Looks whether a store can be read, in a process of its own: LMDB maps its file into memory, and a damaged one may end
 * the process that reads it. Run with the store's directory; exit code 0 means sound, 3 of another version.
 */
import { CheckResult } from './check-result.js';
import { openEnvironment, SCHEMA_KEY, SCHEMA_VERSION } from './environment.js';

const { root, tables } = openEnvironment(process.argv[2]!, true);
let isEmpty = true;
for (const table of Object.values(tables)) {
  for (const { key, value } of table.getRange()) {
    if (typeof key !== 'string' || value === undefined) process.exit(CheckResult.Damaged);
    isEmpty = false;
  }
}
const version = tables.meta.get(SCHEMA_KEY);
await root.close();
// A node that died before its first commit left nothing, no version either.
const isOurs = version === SCHEMA_VERSION || (version === undefined && isEmpty);
process.exit(isOurs ? CheckResult.Sound : CheckResult.OtherVersion);
