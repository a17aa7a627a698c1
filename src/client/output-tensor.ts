import { LcqError } from '../errors.js';
import {
  elementCount,
  elementSize,
  elementsFromBytes,
  isTensorDataType,
} from '../serving/tensor-bytes.js';
import type { Tensor } from './client.js';

/** What a reply says of a tensor. */
interface Description {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/**
 * A tensor of a reply from its bytes, if it came with any; shares their memory where its alignment allows.
 *
 * Throws UNSUPPORTED for a datatype that is not known here, INTERNAL when the bytes are not those of the shape.
 */
export function outputTensor(
  { name, datatype, shape }: Description,
  bytes: Uint8Array | undefined,
): Tensor {
  if (!isTensorDataType(datatype)) {
    throw new LcqError('UNSUPPORTED', `output '${name}' has the unknown datatype '${datatype}'`);
  }
  // Elements of BYTES bring their lengths along.
  const length = datatype === 'BYTES' ? bytes?.length : elementCount(shape) * elementSize(datatype);
  if (bytes === undefined || bytes.length !== length) {
    const sizes = `${bytes?.length ?? 'no'} bytes in place of ${length ?? 'some'}`;
    throw new LcqError('INTERNAL', `output '${name}' of the reply has ${sizes}`);
  }
  return { datatype, shape, data: elementsFromBytes(datatype, bytes) };
}
