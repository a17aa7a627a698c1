import { LcqError } from '../../errors.js';
import type { Graph, Model } from '../graph.js';
import { verifyGraph } from '../verifier.js';
import { clipBounds } from './clip-bounds.js';
import { constantsToInitializers } from './constants-to-initializers.js';
import { dropNoOps } from './drop-no-ops.js';
import { foldBatchNormalization } from './fold-batch-normalization.js';
import { freeBatch } from './free-batch.js';
import { gemmForm } from './gemm-form.js';
import type { Pass } from './pass.js';
import { pooledConvolution } from './pooled-convolution.js';
import { slicedGemm } from './sliced-gemm.js';
import { splitToSlices } from './split-to-slices.js';

const PASSES: readonly Pass[] = [
  constantsToInitializers,
  dropNoOps,
  clipBounds,
  splitToSlices,
  foldBatchNormalization,
  pooledConvolution,
  gemmForm,
  slicedGemm,
  freeBatch,
  dropNoOps,
];

/** Standard opsets whose nodes, after the passes, mean the same in the opset that is trained and exported. */
const OPSETS = { oldest: 11, newest: 21 };

/**
 * Brings a foreign full-precision model to the form that quantization works on: constants are initializers, every node
 * has one output, Conv carries what a batch normalization behind it did, fully connected layers are Gemm with
 * transB = 1. Values keep their names where they still exist.
 *
 * @throws LcqError UNSUPPORTED for an opset or a node that cannot be brought to that form, by name
 */
export function canonicalGraph(model: Model): Graph {
  const opset = model.opsets[''] ?? 0;
  if (opset < OPSETS.oldest || opset > OPSETS.newest) {
    const range = `${OPSETS.oldest} to ${OPSETS.newest}`;
    throw new LcqError('UNSUPPORTED', `the model has ONNX opset ${opset}, supported are ${range}`);
  }
  const automatic = model.graph.nodes.find(({ attributes: { auto_pad: pad } }) => {
    return pad && 'string' in pad && !['NOTSET', ''].includes(pad.string);
  });
  if (automatic) {
    const where = `node '${automatic.name}' (${automatic.opType})`;
    throw new LcqError('UNSUPPORTED', `${where}: automatic padding is not supported`);
  }
  return PASSES.reduce((graph, pass) => {
    const next = pass(graph);
    verifyGraph(next);
    return next;
  }, model.graph);
}
