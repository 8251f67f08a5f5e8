/** Owns the description of errors in answers. Main thread. */
import { type ErrorBody, errorNames } from '../error-answer.js';
import { choice, integer, named, objectOf, optional, text } from './schema.js';

export const errorCode = integer(0, 255, 'Error code, as on the wire and in metrics');
export const errorCodeName = text('Name of the error code; Unknown for one that this version does not know');

export const errorBody = named<ErrorBody>(
  'Error',
  objectOf<ErrorBody>('Why a call was refused or failed', {
    error: choice(errorNames, 'Kind of error. Stable: match it, and never the message'),
    message: text('One sentence for people'),
    field: optional(
      text('What of the call is wrong: a field of the body, a query parameter, `path`, `body` or a header', 'address'),
    ),
    code: optional(errorCode),
    name: optional(errorCodeName),
  }),
);
