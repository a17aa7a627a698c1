import { elementsOf } from '../../src/onnx/elements.js';
import type { TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { createLcqSession, type LcqSessionOptions } from '../../src/runtime/lcq-session.js';
import type { Tensor } from '../../src/runtime/session.js';
import { type OpUnderTest, opModel } from '../quantization/op-model.js';

export interface OpRun {
  /** The kernel that the node ran on. */
  readonly kernel: string;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Runs one op by the add-on. The model has no function bodies: there is nothing to fall back to. */
export async function runOp(op: OpUnderTest, options: LcqSessionOptions): Promise<OpRun> {
  const model = encodeModel({ ...opModel(op), functions: [] });
  const session = await createLcqSession(model, options);
  try {
    const feeds = op.fed.map((name) => [name, feedOf(op.inputs[name])]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return { kernel: session.kernels[0].kernel, outputs };
  } finally {
    await session.dispose();
  }
}

function feedOf(tensor: TensorData): Tensor {
  const { dtype, shape } = tensor;
  if (dtype === 'uint8') return { datatype: 'UINT8', shape, data: elementsOf(tensor, dtype) };
  return { datatype: 'INT16', shape, data: elementsOf(tensor, 'int16') };
}
