import type { GraphBuilder, Value, WindowGeometry } from '../../onnx/builder.js';

/**
 * The shifted views of x that the taps of a window read, row by row, each cut to the output's size along `axes` (those
 * of the rows and columns). What lies outside of x is zero.
 */
export function taps(
  b: GraphBuilder,
  x: Value,
  kernel: readonly number[],
  out: readonly number[],
  { strides, pads, dilations }: WindowGeometry,
  axes: readonly [number, number],
): Value[] {
  const all = new Array(2 * x.shape.length).fill(0);
  axes.forEach((axis, i) => {
    all[axis] = pads[i];
    all[axis + x.shape.length] = pads[i + 2];
  });
  const padded = b.pad(x, all);
  const views: Value[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const starts = [i * dilations[0], j * dilations[1]];
      const ends = starts.map((start, axis) => start + (out[axis] - 1) * strides[axis] + 1);
      const whole = axes.every((axis, k) => strides[k] === 1 && padded.shape[axis] === out[k]);
      views.push(whole ? padded : b.slice(padded, axes, starts, ends, strides));
    }
  }
  return views;
}
