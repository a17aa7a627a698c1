import type { InferReply } from '../../serving/service.js';
import { bytesOfElements } from '../../serving/tensor-bytes.js';
import type { InferBody } from './infer-body.js';
import { jsonOfTensor } from './json-tensor.js';

export interface EncodedReply {
  readonly body: Buffer;
  /** Length of the JSON that raw tensors follow; undefined when all of the body is JSON. */
  readonly jsonLength: number | undefined;
}

/** Writes an infer reply: JSON, followed by the raw tensors of those outputs that are wanted in binary. */
export function encodeInferReply(
  reply: InferReply,
  { id, wantsBinary }: Pick<InferBody, 'id' | 'wantsBinary'>,
): EncodedReply {
  const tensors: Uint8Array[] = [];
  const outputs = reply.outputs.map(({ name, tensor }) => {
    const { datatype, shape } = tensor;
    if (!wantsBinary(name)) {
      const head = JSON.stringify({ name, datatype, shape });
      return `${head.slice(0, -1)},"data":${jsonOfTensor(name, tensor)}}`;
    }
    const bytes = bytesOfElements(tensor);
    tensors.push(bytes);
    return JSON.stringify({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: bytes.length },
    });
  });
  const head = JSON.stringify({
    ...(id ? { id } : {}),
    model_name: reply.model,
    model_version: reply.version,
  });
  const json = Buffer.from(`${head.slice(0, -1)},"outputs":[${outputs}]}`);
  if (tensors.length === 0) return { body: json, jsonLength: undefined };
  return { body: Buffer.concat([json, ...tensors]), jsonLength: json.length };
}
