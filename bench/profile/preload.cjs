/**
 * Loaded into the program under a profiler, before its own code. Node runs a preload in every thread; clinic's own ones
 * don't ask where they are, so under plain clinic the workers overwrite the files of the main thread. This one does
 * nothing in workers.
 *
 * SIGINT ends the program: the collector writes what it still holds, then the process exits with code 0.
 */
'use strict';

const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const threads = require('node:worker_threads');

const COLLECTORS = {
  doctor: '@clinic/doctor/injects/sampler.js',
  bubbleprof: '@clinic/bubbleprof/injects/logger.js',
};
const FLUSH_POLL_MS = 20;

/** Loads a collector of clinic. @returns the stream that it writes to */
function load(collector) {
  const { createWriteStream } = fs;
  let output;
  fs.createWriteStream = (...args) => {
    output = createWriteStream(...args);
    return output;
  };
  require(collector);
  fs.createWriteStream = createWriteStream;
  return output;
}

/**
 * The main thread is seen by --prof, which sees next to nothing where --cpu-prof is on: that is for workers only. They
 * get it in place of the flags of the process, which they would inherit, this preload among them.
 */
function profileWorkers(dir) {
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    constructor(filename, options = {}) {
      const execArgv = [...(options.execArgv ?? []), '--cpu-prof', `--cpu-prof-dir=${dir}`];
      super(filename, { ...options, execArgv });
    }
  };
  syncBuiltinESMExports();
}

function endOnSigint(output) {
  process.on('SIGINT', () => {
    if (output === undefined) process.exit(0);
    // On this event clinic's collectors end their files, and exit once these are closed. Under load bubbleprof waits for
    // ever: its async hook writes to the stream from within the stream, which then counts its callbacks wrongly.
    process.emit('beforeExit', 0);
    setInterval(() => {
      if (output.writableEnded && output.writableLength === 0) process.exit(0);
    }, FLUSH_POLL_MS);
  });
}

if (threads.isMainThread) {
  const { PAW_PROFILE_TOOL: tool, PAW_PROFILE_DIR: dir } = process.env;
  if (tool === 'flame') profileWorkers(dir);
  endOnSigint(tool in COLLECTORS ? load(COLLECTORS[tool]) : undefined);
}
