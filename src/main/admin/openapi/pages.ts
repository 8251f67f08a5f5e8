/** Owns the description of the routes for people and programs that look around: dashboard and this description. Main thread. */
import type { RouteDescriptions } from './route-description.js';
import { text } from './schema.js';

export const pageRoutes: RouteDescriptions = {
  'GET /': {
    id: 'getDashboard',
    tag: 'Pages',
    summary: 'The dashboard',
    description: 'The only route that a link on another site may open.',
    answers: { 200: { description: 'A page', type: 'text/html', schema: text('HTML') } },
    empty: { 304: 'Still the one with the ETag of If-None-Match' },
  },
  'GET /dashboard/{asset}': {
    id: 'getDashboardAsset',
    tag: 'Pages',
    summary: 'A file that the dashboard needs',
    parameters: { asset: { in: 'path', schema: text('Name of the file'), example: 'page.js' } },
    answers: { 200: { description: 'The file', type: '*/*', schema: text('Scripts and styles') } },
    empty: { 304: 'Still the one with the ETag of If-None-Match' },
    errors: { 404: 'There is no such file' },
  },
  'GET /openapi.json': {
    id: 'getDescription',
    tag: 'Pages',
    summary: 'This description',
    answers: { 200: { description: 'OpenAPI 3.1', schema: { json: { type: 'object' } } } },
    errors: { 400: 'There are no query parameters' },
  },
};
