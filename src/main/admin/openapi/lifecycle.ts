/** Owns the description of the routes that change a node as a whole: reload and drain. Main thread. */
import type { ReloadResult, SettingChange } from '../../api.js';
import { DRAIN_MAX_MS } from '../../drain-request.js';
import { drainStatus } from './node-status.js';
import type { RouteDescriptions } from './route-description.js';
import { anything, listOf, named, objectOf, optional, type Schema, text } from './schema.js';

const settingChange = named<SettingChange>(
  'SettingChange',
  objectOf('An option whose value changes', {
    key: text('Key of the option', 'maxPeers'),
    from: anything('The value before, as it would stand in a file'),
    to: anything('The value after, as it would stand in a file'),
  }),
);

const reloadResult = named<ReloadResult>(
  'ReloadResult',
  objectOf('What a reload of the configuration did', {
    applied: listOf(settingChange, 'What is in force from now on'),
    needsRestart: listOf(settingChange, 'What is different and stays as it is until the node is restarted'),
  }),
);

const within: Schema<string | number> = {
  json: {
    anyOf: [
      { type: 'string', minLength: 1 },
      { type: 'integer', minimum: 0, maximum: DRAIN_MAX_MS },
    ],
    description: 'How long it may take: a duration such as `30s`, or milliseconds; 24 h at most',
    default: '60s',
    examples: ['30s', 30_000],
  },
};

export const lifecycleSchemas = [settingChange, reloadResult, drainStatus];

export const lifecycleRoutes: RouteDescriptions = {
  'POST /reload': {
    id: 'reload',
    tag: 'Node',
    summary: 'Reads the configuration file again',
    description: 'Applies what can change while the node runs. A file with a fault changes nothing.',
    answers: { 200: { description: 'What changed', schema: reloadResult } },
    errors: {
      400: 'The file is refused; `field` names the key',
      409: 'The node got its options from the program that it runs in',
      503: 'The node is closing',
    },
  },
  'POST /drain': {
    id: 'drain',
    tag: 'Node',
    summary: 'Takes the node out of service',
    description: 'No more peers come in, what waits is finished, and peers are let go. See `draining` of the status.',
    body: {
      isRequired: false,
      schema: objectOf<{ within?: string | number }>('How to drain', { within: optional(within) }),
      example: { within: '30s' },
    },
    answers: { 202: { description: 'It has begun, or went on already', schema: drainStatus } },
    errors: { 400: 'The body is wrong; `field` names what' },
  },
};
