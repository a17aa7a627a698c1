/** The cells of a detector's feature maps, in the order of its output rows: map by map, row-major. */
export interface FeatureGrid {
  readonly count: number;
  /** Column, row and stride (pixels of the input for one cell) of each cell. */
  readonly column: Uint16Array;
  readonly row: Uint16Array;
  readonly stride: Uint16Array;
}

/** Cells of the feature map that a stride leaves of an input. */
export const cellCount = (width: number, height: number, stride: number): number =>
  Math.ceil(width / stride) * Math.ceil(height / stride);

/** The cells of one feature map for each stride, over an input of `width` x `height` pixels. */
export function featureGrid(
  width: number,
  height: number,
  strides: readonly number[],
): FeatureGrid {
  const count = strides.reduce((total, stride) => total + cellCount(width, height, stride), 0);
  const grid = {
    count,
    column: new Uint16Array(count),
    row: new Uint16Array(count),
    stride: new Uint16Array(count),
  };
  let first = 0;
  for (const stride of strides) {
    const columns = Math.ceil(width / stride);
    const cells = cellCount(width, height, stride);
    for (let i = 0; i < cells; i++) {
      grid.column[first + i] = i % columns;
      grid.row[first + i] = Math.floor(i / columns);
    }
    grid.stride.fill(stride, first, first + cells);
    first += cells;
  }
  return grid;
}
