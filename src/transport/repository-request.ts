import { LcqError } from '../errors.js';

/** Throws UNSUPPORTED: a server has one repository, which has no name. */
export function refuseRepositoryName(name: string): void {
  if (name === '') return;
  throw new LcqError('UNSUPPORTED', "'repository_name' specification is not supported");
}

/** Throws UNSUPPORTED: a config or files of the caller's would not be the repository's. */
export function refuseLoadParameters(parameters: Readonly<Record<string, unknown>> = {}): void {
  const [name] = Object.keys(parameters);
  if (name === undefined) return;
  throw new LcqError('UNSUPPORTED', `load parameter '${name}' is not supported`);
}
