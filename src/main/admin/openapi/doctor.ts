/** Owns the description of the doctor's route. Main thread. */
import type { DoctorReport, Finding } from '../../api.js';
import type { RouteDescriptions } from './route-description.js';
import { choice, listOf, moment, named, nullable, objectOf, text } from './schema.js';

const levels = ['ok', 'unknown', 'warn', 'fail'] as const;

const finding = named<Finding>(
  'Finding',
  objectOf('What one check of the doctor found', {
    check: text('Stable name of the check', 'reachable'),
    level: choice(levels, 'How it came out; unknown when it can not be told'),
    summary: text('One sentence'),
    evidence: listOf(text('A fact'), 'What it is concluded from'),
    remedy: nullable(text('What to do about it'), 'when there is nothing to do'),
  }),
);

const doctorReport = named<DoctorReport>(
  'DoctorReport',
  objectOf('What is well with the node and its surroundings, and what is not', {
    time: moment('When it was looked at'),
    level: choice(levels, 'The worst level of all findings; from ok over unknown and warn to fail'),
    findings: listOf(finding, 'One for each check, the worst first'),
  }),
);

export const doctorSchemas = [finding, doctorReport];

export const doctorRoutes: RouteDescriptions = {
  'GET /doctor': {
    id: 'getDoctorReport',
    tag: 'Node',
    summary: 'Examines the node, and says in plain words what is wrong and what to do',
    answers: { 200: { description: 'The findings, whatever they are', schema: doctorReport } },
    errors: { 400: 'There are no query parameters' },
  },
};
