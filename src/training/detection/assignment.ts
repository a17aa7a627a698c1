import { CELL_STRIDE } from '../networks/one-stage-detector.js';
import type { MarkedObject } from './marked-images.js';

/**
 * Columns of the target of a cell: the box (centre x and y from the cell's top left corner, width, height, all in
 * strides), whether an object is assigned, what the objectness shall be (a part of the overlap with the box, and a
 * part of its own), then the classes.
 */
export const TARGET = { box: 0, assigned: 4, overlap: 5, objectness: 6, classes: 7 } as const;

/** Cells whose centres are as near to an object's are assigned to it, in strides both ways. */
const RADIUS = 1.5;

/**
 * The target of an image, [cells, 7 + classes]: centre sampling (Tian et al. 2022, FCOS, section 3). An object is
 * assigned to the cells near its centre that lie inside its box, at least to the one that its centre is in; a cell that
 * would have several gets the smallest.
 */
export function assignCells(
  objects: readonly MarkedObject[],
  classes: number,
  [height, width]: readonly [number, number],
): Float32Array {
  const [rows, columns] = [height / CELL_STRIDE, width / CELL_STRIDE];
  const size = TARGET.classes + classes;
  const target = new Float32Array(rows * columns * size);
  const area = ({ width, height }: MarkedObject) => width * height;
  // The smallest come last and overwrite.
  for (const object of objects.toSorted((a, b) => area(b) - area(a))) {
    for (const [row, column] of cellsOf(object, rows, columns)) {
      const cell = target.subarray(
        (row * columns + column) * size,
        (row * columns + column + 1) * size,
      );
      cell.fill(0);
      cell[TARGET.box] = (object.x + object.width / 2) / CELL_STRIDE - column;
      cell[TARGET.box + 1] = (object.y + object.height / 2) / CELL_STRIDE - row;
      cell[TARGET.box + 2] = object.width / CELL_STRIDE;
      cell[TARGET.box + 3] = object.height / CELL_STRIDE;
      cell[TARGET.assigned] = 1;
      cell[TARGET.overlap] = 1;
      cell[TARGET.classes + object.index] = 1;
    }
  }
  return target;
}

function cellsOf(object: MarkedObject, rows: number, columns: number): [number, number][] {
  const across = stretch(object.x, object.width, columns);
  const down = stretch(object.y, object.height, rows);
  return down.flatMap((row) => across.map((column): [number, number] => [row, column]));
}

/** The cells along one axis. */
function stretch(from: number, length: number, count: number): number[] {
  const centre = (from + length / 2) / CELL_STRIDE;
  const reach = Math.min(RADIUS, length / 2 / CELL_STRIDE);
  const cells = Array.from({ length: count }, (_, i) => i).filter(
    (i) => Math.abs(i + 0.5 - centre) < reach,
  );
  return cells.length > 0 ? cells : [Math.min(count - 1, Math.floor(centre))];
}
