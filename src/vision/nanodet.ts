import { LcqError } from '../errors.js';
import type { TensorSpec } from '../runtime/session.js';
import type { Box } from './boxes.js';
import { type Detection, type DetectionDecoder, MAX_CANDIDATES } from './detection.js';
import { cellCount, featureGrid } from './feature-grid.js';
import { outputColumns, outputRows } from './output-shape.js';
import { TopCandidates } from './top-candidates.js';

export interface NanodetOutput {
  /** An output `[N, cells, classes]` for each stride: probabilities. */
  readonly scores: readonly string[];
  /** An output `[N, cells, 4 * bins]` for each stride: logits of the distance to the left, top, right and bottom. */
  readonly distances: readonly string[];
  readonly strides: readonly number[];
}

/** One feature map of the head. */
interface Level {
  readonly scores: string;
  readonly distances: string;
  readonly stride: number;
  /** The first of its cells in the grid, and how many they are. */
  readonly first: number;
  readonly cells: number;
}

const SIDES = 4;

/**
 * Decodes the head of NanoDet, a generalized focal loss head (Li et al., 2020, equation 5).
 *
 * Each class of a cell has a score of its own. The distance from the cell's centre to a side of the box is the mean,
 * in strides, of a distribution over the bins 0, 1, 2, ...; a single bin would always mean 0 and is refused.
 *
 * Throws INVALID_ARGUMENT if the model's outputs do not fit.
 */
export function nanodetDecoder(
  output: NanodetOutput,
  { width, height }: { readonly width: number; readonly height: number },
  specs: readonly TensorSpec[],
): DetectionDecoder {
  const grid = featureGrid(width, height, output.strides);
  const levels = headLevels(output, width, height);
  const classes = equalColumns('scores', levels, specs);
  const columns = equalColumns('distances', levels, specs);
  const bins = columns / SIDES;
  if (!Number.isInteger(bins) || bins < 2) {
    const message = `output.distances: ${columns} columns are not 4 times two or more bins`;
    throw new LcqError('INVALID_ARGUMENT', message);
  }
  return {
    classes,
    decode(outputs, scoreThreshold): Detection[] {
      const candidates = new TopCandidates(MAX_CANDIDATES, scoreThreshold);
      for (const { scores, first, cells } of levels) {
        const values = outputRows(outputs, scores, cells * classes);
        for (let i = 0; i < values.length; i++) {
          if (values[i] < scoreThreshold) continue;
          candidates.offer(values[i], first + Math.floor(i / classes), i % classes);
        }
      }
      return candidates.ranked().map(({ score, cell, index }) => {
        const level = levels.findLast(({ first }) => first <= cell) as Level;
        const logits = outputRows(outputs, level.distances, level.cells * columns);
        const at = (cell - level.first) * columns;
        const centreX = (grid.column[cell] + 0.5) * level.stride;
        const centreY = (grid.row[cell] + 0.5) * level.stride;
        const box = boxAround(centreX, centreY, sideDistances(logits, at, bins), level.stride);
        return { index, score, box };
      });
    },
  };
}

function headLevels(output: NanodetOutput, width: number, height: number): Level[] {
  let first = 0;
  return output.strides.map((stride, i) => {
    const cells = cellCount(width, height, stride);
    const level = {
      scores: output.scores[i],
      distances: output.distances[i],
      stride,
      first,
      cells,
    };
    first += cells;
    return level;
  });
}

/** The size of the last axis, which all levels must share. */
function equalColumns(
  kind: 'scores' | 'distances',
  levels: readonly Level[],
  specs: readonly TensorSpec[],
): number {
  const columns = levels.map((level, i) =>
    outputColumns(specs, { field: `output.${kind}.${i}`, name: level[kind], rows: level.cells }),
  );
  if (columns.every((size) => size === columns[0])) return columns[0];
  throw new LcqError('INVALID_ARGUMENT', `output.${kind}: columns differ: ${columns.join(', ')}`);
}

/** Means of four distributions given as logits, in strides: left, top, right, bottom. */
function sideDistances(logits: Float32Array, at: number, bins: number): number[] {
  return Array.from({ length: SIDES }, (_, side) => {
    const from = at + side * bins;
    const largest = Math.max(...logits.subarray(from, from + bins));
    let sum = 0;
    let weighted = 0;
    for (let bin = 0; bin < bins; bin++) {
      const weight = Math.exp(logits[from + bin] - largest);
      sum += weight;
      weighted += weight * bin;
    }
    return weighted / sum;
  });
}

function boxAround(
  x: number,
  y: number,
  [left, top, right, bottom]: readonly number[],
  stride: number,
): Box {
  return {
    x: x - left * stride,
    y: y - top * stride,
    width: (left + right) * stride,
    height: (top + bottom) * stride,
  };
}
