import { LcqError } from '../errors.js';

/** Extensions of the protocol that this server does not have, and what there is instead. */
const MISSING = {
  logging: "log settings are not supported; the server's setting 'logLevel' says what is logged",
  trace:
    "trace settings are not supported; the server's setting 'otlpEndpoint' says where traces go",
  'shared memory': 'shared memory is not supported; tensors are sent with the request',
};

export type MissingExtension = keyof typeof MISSING;

/** Throws UNSUPPORTED. */
export function refuseExtension(extension: MissingExtension): never {
  throw new LcqError('UNSUPPORTED', MISSING[extension]);
}

/** Throws NOT_FOUND for the status of one region: none was ever registered. */
export function refuseRegion(name: string): void {
  if (name === '') return;
  throw new LcqError('NOT_FOUND', `Unable to find shared memory region: '${name}'`);
}
