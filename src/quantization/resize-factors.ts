/**
 * The factors of a Resize between two shapes, for a model whose batch and images may have other sizes than now: the
 * size that ONNX computes of a factor, floor(size * factor) in float32, is that of the second shape.
 */
export function resizeFactors(from: readonly number[], to: readonly number[]): Float32Array {
  return Float32Array.from(from, (size, axis) => {
    const factor = Math.fround(to[axis] / size);
    const resized = Math.floor(Math.fround(size * factor));
    return resized < to[axis] ? Math.fround(factor * (1 + 2 ** -23)) : factor;
  });
}
