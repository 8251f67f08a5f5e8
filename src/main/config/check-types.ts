/**
 * Owns the check of message types that an application declares without a handler module. Pure; main thread.
 */
import { ConfigError } from '../../shared/errors.js';
import { completePolicy } from '../../shared/policy.js';
import { encodeType, isControlType } from '../../shared/wire/message-type.js';
import type { TypeDeclarations } from '../api.js';

/**
 * Types are declared in every worker; what is wrong with one is told here, before anything starts.
 * @throws ConfigError `types`
 */
export function checkTypes(types: TypeDeclarations): void {
  for (const [type, declaration] of Object.entries(types)) {
    try {
      encodeType(type);
      completePolicy(type, declaration, 'inline');
    } catch (error) {
      throw new ConfigError('types', `types: ${(error as Error).message}`);
    }
    if (isControlType(type)) {
      throw new ConfigError('types', `types: '${type}' belongs to the protocol`);
    }
  }
}
