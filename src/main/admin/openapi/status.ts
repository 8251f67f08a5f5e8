/** Owns the description of the routes that only look at the node as a whole. Main thread. */
import type { NodeHealth } from '../../api.js';
import { type OptionKey, optionKeys, optionOf } from '../../config/options.js';
import { countSchemas, nodeStatus } from './node-status.js';
import type { RouteDescriptions } from './route-description.js';
import { flag, listOf, named, objectOf, type Schema, text } from './schema.js';

const nodeHealth = named<NodeHealth>(
  'NodeHealth',
  objectOf('Whether the node does its work', {
    ok: flag('Whether it listens and its workers live'),
    reasons: listOf(text('A reason'), 'Why it is not ok; empty while it is'),
    degraded: listOf(text('Something', 'no peers'), 'What works with less than it should have'),
  }),
);

/** Values as in a file: text, number, flag or list, and null for what is not set. */
const settings = named<Record<OptionKey, unknown>>(
  'Settings',
  objectOf(
    'The configuration in force, by key, as it would stand in a file; null for what is not set',
    Object.fromEntries(optionKeys.map((key) => [key, setting(key)])) as Record<OptionKey, Schema<unknown>>,
  ),
);

function setting(key: OptionKey): Schema<unknown> {
  const { doc, kind, secret } = optionOf(key);
  const shown = secret ? 'only whether it is set is shown' : kind.allowed;
  return {
    json: {
      type: ['string', 'number', 'boolean', 'array', 'null'],
      items: { type: 'string' },
      description: `${doc}: ${shown}`,
    },
  };
}

export const statusSchemas = [nodeHealth, settings, ...countSchemas];

export const statusRoutes: RouteDescriptions = {
  'GET /health': {
    id: 'getHealth',
    tag: 'Node',
    summary: 'Whether the node does its work, for load balancers and supervisors',
    answers: {
      200: {
        description: 'It does',
        schema: nodeHealth,
        example: { ok: true, reasons: [], degraded: ['no peers'] },
      },
      503: {
        description: 'It does not, or not yet, or no longer',
        schema: nodeHealth,
        example: { ok: false, reasons: ['a worker is down'], degraded: [] },
      },
    },
    errors: { 400: 'There are no query parameters' },
  },
  'GET /status': {
    id: 'getStatus',
    tag: 'Node',
    summary: 'Everything that the node counts',
    answers: { 200: { description: 'One reading', schema: nodeStatus } },
    errors: { 400: 'There are no query parameters' },
  },
  'GET /config': {
    id: 'getConfig',
    tag: 'Node',
    summary: 'The configuration in force',
    answers: { 200: { description: 'By key', schema: settings } },
    errors: { 400: 'There are no query parameters' },
  },
  'GET /metrics': {
    id: 'getMetrics',
    tag: 'Node',
    summary: 'What the node counts, for Prometheus',
    answers: {
      200: {
        description: 'Prometheus text format 0.0.4',
        type: 'text/plain',
        schema: text('Metrics whose names begin with paw_p2p_'),
      },
    },
    errors: { 400: 'There are no query parameters' },
  },
};
