import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { LcqError } from '../errors.js';
import type { Model } from './graph.js';
import { messageToModel } from './message-reader.js';
import { modelToMessage } from './message-writer.js';
import type { ModelMessage } from './messages.js';

/** ONNX files to and from the graph IR: the only file that knows protobuf. The schema is proto/onnx.proto. */

let modelType: protobuf.Type | undefined;

function modelMessageType(): protobuf.Type {
  modelType ??= protobuf
    .parse(readFileSync(new URL('../../../proto/onnx.proto', import.meta.url), 'utf8'), {
      keepCase: true,
    })
    .root.lookupType('onnx.ModelProto');
  return modelType;
}

/**
 * Reads an ONNX model. Tensors share memory with `bytes` wherever the file holds raw data.
 *
 * @throws LcqError INVALID_ARGUMENT if the bytes are not a well-formed model; UNSUPPORTED if they use a part of ONNX
 *   that the IR leaves out (subgraphs, sparse or external tensors, values that are not tensors). Names the place.
 */
export function decodeModel(bytes: Uint8Array): Model {
  return messageToModel(parse(bytes));
}

/** Writes an ONNX model, all tensors as raw data. The model is taken to be valid (see verifier.ts). */
export function encodeModel(model: Model): Uint8Array {
  return modelMessageType().encode(modelToMessage(model)).finish();
}

function parse(bytes: Uint8Array): ModelMessage {
  const type = modelMessageType();
  try {
    return type.decode(bytes) as unknown as ModelMessage;
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause: unknown): LcqError {
  const message = 'not an ONNX model: the file is damaged or of another format';
  return new LcqError('INVALID_ARGUMENT', message, { cause });
}
