import assert from 'node:assert/strict';
import type { OpCase } from './op-cases.js';
import { runOp } from './run-op.js';

/** Runs an op on the kernels of a set; its outputs must equal those of the reference. Returns the kernel's name. */
export async function checkOn(
  set: string,
  { op, expected }: OpCase,
  intraOpThreads = 1,
): Promise<string> {
  const { kernel, outputs } = await runOp(op, { kernels: set, intraOpThreads });
  for (const [name, elements] of Object.entries(expected)) {
    assert.deepEqual(outputs[name].data, elements, `${op.opType} output ${name} on ${kernel}`);
  }
  return kernel;
}
