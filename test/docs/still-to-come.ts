/**
 * STILL TO COME: what documents describe already and the code of this branch does not have yet, since it is being built at
 * the same time. Each list is empty once everything is merged.
 */
export const stillToCome: {
  readonly commands: readonly string[];
  readonly flags: readonly string[];
  readonly options: readonly string[];
  readonly fields: readonly string[];
  readonly routes: readonly string[];
  readonly files: readonly string[];
  readonly errors: readonly string[];
} = {
  commands: ['doctor', 'drain', 'reload'],
  flags: ['--log-file', '--within'],
  options: ['logFile', 'workerTimeout'],
  fields: [],
  routes: ['GET /', 'GET /doctor', 'GET /openapi.json', 'POST /drain', 'POST /reload'],
  files: ['docs/metrics.md'],
  errors: ['ERR_PAW_LOG_FILE', 'ERR_PAW_RELOAD', 'conflict', 'timeout'],
};
