import { LcqError } from '../errors.js';
import type { TensorSpec } from '../runtime/session.js';
import type { Box } from './boxes.js';
import { type Detection, type DetectionDecoder, MAX_CANDIDATES } from './detection.js';
import { type FeatureGrid, featureGrid } from './feature-grid.js';
import { outputColumns, outputRows } from './output-shape.js';
import { TopCandidates } from './top-candidates.js';

export interface YoloxOutput {
  /** The output `[N, cells, 5 + classes]`: centre x and y, width, height, objectness, one value for each class. */
  readonly name: string;
  readonly strides: readonly number[];
}

/** Columns before those of the classes. */
const BOX_COLUMNS = 4;
const CLASS_COLUMN = 5;

/**
 * Decodes the raw head of YOLOX (Ge et al., 2021, section 2.2; upstream's export without `decode_in_inference`).
 *
 * Objectness and classes are probabilities and multiply to the score; a cell stands for its best class only, the
 * centre is relative to the cell's top left corner in strides, the size is a logarithm of strides.
 *
 * Throws INVALID_ARGUMENT if the model's outputs do not fit.
 */
export function yoloxDecoder(
  { name, strides }: YoloxOutput,
  input: { readonly width: number; readonly height: number },
  specs: readonly TensorSpec[],
): DetectionDecoder {
  const grid = featureGrid(input.width, input.height, strides);
  const columns = outputColumns(specs, { field: 'output.name', name, rows: grid.count });
  if (columns <= CLASS_COLUMN) {
    const message = `output.name: '${name}' has ${columns} columns: box, objectness, no classes`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return {
    classes: columns - CLASS_COLUMN,
    decode(outputs, scoreThreshold): Detection[] {
      const values = outputRows(outputs, name, grid.count * columns);
      const candidates = new TopCandidates(MAX_CANDIDATES, scoreThreshold);
      for (let cell = 0; cell < grid.count; cell++) {
        const objectness = values[cell * columns + BOX_COLUMNS];
        // Classes are at most 1, so that most cells need not be looked at.
        if (!(objectness >= scoreThreshold)) continue;
        const best = bestClass(values, cell * columns + CLASS_COLUMN, (cell + 1) * columns);
        // A score travels as binary32.
        candidates.offer(Math.fround(objectness * best.probability), cell, best.index);
      }
      return candidates.ranked().map(({ score, cell, index }) => {
        return { index, score, box: cellBox(values, cell * columns, grid, cell) };
      });
    },
  };
}

/** The largest of `values[from]` to `values[to - 1]`, the first of equal ones. */
function bestClass(values: Float32Array, from: number, to: number) {
  let at = from;
  for (let i = from + 1; i < to; i++) if (values[i] > values[at]) at = i;
  return { index: at - from, probability: values[at] };
}

function cellBox(values: Float32Array, at: number, grid: FeatureGrid, cell: number): Box {
  const stride = grid.stride[cell];
  const width = Math.exp(values[at + 2]) * stride;
  const height = Math.exp(values[at + 3]) * stride;
  return {
    x: (values[at] + grid.column[cell]) * stride - width / 2,
    y: (values[at + 1] + grid.row[cell]) * stride - height / 2,
    width,
    height,
  };
}
