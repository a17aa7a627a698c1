/** Images of one size, decoded once and kept as bytes. */
export interface Images {
  /** [count, height, width, 3], row-major. */
  readonly pixels: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

/** The images at `indices` as they are, [indices, height, width, 3]. */
export function pixelsOf(images: Images, indices: ArrayLike<number>): Uint8Array {
  const bytes = images.height * images.width * 3;
  const pixels = new Uint8Array(indices.length * bytes);
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * bytes;
    pixels.set(images.pixels.subarray(from, from + bytes), i * bytes);
  }
  return pixels;
}
