import { LcqError } from '../errors.js';

/** Parameters of input and output tensors that change what a reply means: ignoring one would answer wrongly. */
const UNSUPPORTED = ['shared_memory_region', 'classification'];

/** Throws UNSUPPORTED for a tensor parameter of an extension that this server does not have. */
export function refuseUnsupported(
  parameters: Readonly<Record<string, unknown>> | undefined,
  tensor: string,
): void {
  for (const name of UNSUPPORTED) {
    if (parameters === undefined || !Object.hasOwn(parameters, name)) continue;
    throw new LcqError('UNSUPPORTED', `parameter '${name}' of '${tensor}' is not supported`);
  }
}
