import { GraphBuilder, type Value } from '../../onnx/builder.js';
import { lower } from '../autodiff.js';
import { BOX_COLUMNS, CLASS_COLUMN } from '../networks/one-stage-detector.js';
import { TARGET } from './assignment.js';

/** Weight of the boxes' part. */
const BOX_WEIGHT = 5;
/** Keeps quotients of areas defined, square strides. */
const TINY = 1e-7;

/**
 * The loss of a one-stage detector on `cells` [N, cells, 5 + classes] against `target` [N, cells, 7 + classes] (see
 * TARGET), a scalar, and its gradient with respect to `cells`.
 *
 * All cells: quality focal loss of the objectness (Li et al. 2020, equation 2, beta = 2), |t - p|^2 times the
 * cross-entropy, whose target t is the overlap of the predicted with the marked box, 0 without an object. Cells with an
 * object: cross-entropy of the classes, and 1 - GIoU of the box (Rezatofighi et al. 2019). The sum is divided by the
 * number of those cells.
 */
export function detectionLoss(
  b: GraphBuilder,
  cells: Value,
  target: Value,
): { loss: Value; gradient: Value } {
  // The overlap is computed outside of what is differentiated: objectness learns from boxes, not they from it.
  const { iou } = overlap(b, cells, target);
  const forward = new GraphBuilder('detection-loss');
  const inputs = { cells, target, iou };
  const [x, t, quality] = Object.entries(inputs).map(([name, { shape }]) =>
    forward.input(name, shape),
  );
  const { name } = total(forward, x, t, quality);
  const bindings = new Map(Object.entries(inputs));
  const lowered = lower(b, forward.graph, bindings, new Set(['cells']), true);
  const gradient = lowered.backward(name, b.scalar(1)).get('cells') as Value;
  return { loss: lowered.values.get(name) as Value, gradient };
}

function total(b: GraphBuilder, cells: Value, target: Value, iou: Value): Value {
  const assigned = columns(b, target, TARGET.assigned, TARGET.overlap);
  const all = (x: Value) => b.reduce('Sum', x, [0, 1, 2]);

  const objectness = columns(b, cells, BOX_COLUMNS, CLASS_COLUMN);
  const share = columns(b, target, TARGET.overlap, TARGET.objectness);
  const rest = columns(b, target, TARGET.objectness, TARGET.classes);
  const quality = b.add(b.mul(iou, share), rest);
  const miss = b.sub(quality, b.unary('Sigmoid', objectness));
  const focal = all(b.mul(b.mul(miss, miss), crossEntropy(b, objectness, quality)));

  const classes = columns(b, cells, CLASS_COLUMN);
  const labels = columns(b, target, TARGET.classes);
  const naming = all(b.mul(assigned, crossEntropy(b, classes, labels)));

  const { giou } = overlap(b, cells, target);
  const placing = all(b.mul(assigned, b.sub(b.scalar(1), giou)));

  const sum = b.add(b.add(focal, naming), b.mul(placing, b.scalar(BOX_WEIGHT)));
  return b.div(sum, maximum(b, all(assigned), b.scalar(1)));
}

/** -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) */
function crossEntropy(b: GraphBuilder, x: Value, t: Value): Value {
  return b.sub(b.unary('Softplus', x), b.mul(x, t));
}

/** Intersection over union of predicted and marked boxes, plain and generalized, each [N, cells, 1]. */
function overlap(b: GraphBuilder, cells: Value, target: Value): { iou: Value; giou: Value } {
  const predicted = corners(b, columns(b, cells, 0, 2), b.unary('Exp', columns(b, cells, 2, 4)));
  const marked = corners(b, columns(b, target, 0, 2), columns(b, target, 2, 4));
  const inner = b.sub(
    minimum(b, predicted.high, marked.high),
    maximum(b, predicted.low, marked.low),
  );
  const outer = b.sub(
    maximum(b, predicted.high, marked.high),
    minimum(b, predicted.low, marked.low),
  );
  const shared = area(b, b.unary('Relu', inner));
  const hull = area(b, outer);
  const union = b.sub(b.add(area(b, predicted.size), area(b, marked.size)), shared);
  const quotient = (x: Value, y: Value) => b.div(x, b.add(y, b.scalar(TINY)));
  const iou = quotient(shared, union);
  return { iou, giou: b.sub(iou, quotient(b.sub(hull, union), hull)) };
}

/** @param centre, size [N, cells, 2]: x and y */
function corners(b: GraphBuilder, centre: Value, size: Value) {
  const half = b.mul(size, b.scalar(0.5));
  return { low: b.sub(centre, half), high: b.add(centre, half), size };
}

const area = (b: GraphBuilder, size: Value): Value =>
  b.mul(columns(b, size, 0, 1), columns(b, size, 1, 2));

/** The two by Relu, which has a gradient. */
const minimum = (b: GraphBuilder, x: Value, y: Value): Value =>
  b.sub(x, b.unary('Relu', b.sub(x, y)));
const maximum = (b: GraphBuilder, x: Value, y: Value): Value =>
  b.add(x, b.unary('Relu', b.sub(y, x)));

const columns = (b: GraphBuilder, x: Value, from: number, to = x.shape[2]): Value =>
  b.slice(x, [2], [from], [to]);
