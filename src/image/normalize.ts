/** `(pixel * scale - mean[c]) / std[c]` for a pixel of 0..255 in channel c, in the order of the model's channels. */
export interface Normalization {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** How a model wants its pictures: the order of the axes and of the colours, and bytes or normalized reals. */
export interface PixelFormat {
  readonly layout: 'NHWC' | 'NCHW';
  /** Order of the colours; red, green, blue if left out. */
  readonly channels?: 'RGB' | 'BGR';
  /** Absent: the bytes 0..255 as they are. */
  readonly normalization?: Normalization | undefined;
}

export type PixelElements = Uint8Array | Float32Array;

/** Joins N pictures, `[height, width, 3]` bytes each and of one size, into the elements of one input tensor. */
export type PixelPacker = (pictures: readonly Uint8Array[]) => PixelElements;

const CHANNELS = 3;

/**
 * The packer of a model input: `[N, height, width, 3]` or `[N, 3, height, width]`, row-major, bytes without a
 * normalization and binary32 with one.
 */
export function pixelPacker({ layout, channels, normalization }: PixelFormat): PixelPacker {
  const isReversed = channels === 'BGR';
  // A byte has 256 values: a table for each channel is exact and spares the arithmetic.
  const tables = normalization && channelTables(normalization);
  return (pictures) => {
    const pictureSize = pictures[0].length;
    const total = pictures.length * pictureSize;
    const elements = tables ? new Float32Array(total) : new Uint8Array(total);
    pictures.forEach((pixels, n) => {
      writePicture(elements.subarray(n * pictureSize), pixels, { layout, isReversed, tables });
    });
    return elements;
  };
}

function channelTables({ scale, mean, std }: Normalization): Float32Array[] {
  return mean.map((_, c) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel * scale - mean[c]) / std[c]),
  );
}

function writePicture(
  elements: PixelElements,
  pixels: Uint8Array,
  {
    layout,
    isReversed,
    tables,
  }: {
    layout: PixelFormat['layout'];
    isReversed: boolean;
    tables: readonly Float32Array[] | undefined;
  },
): void {
  if (layout === 'NHWC' && tables === undefined && !isReversed) {
    elements.set(pixels);
    return;
  }
  const area = pixels.length / CHANNELS;
  const [pixelStep, channelStep] = layout === 'NHWC' ? [CHANNELS, 1] : [1, area];
  for (let c = 0; c < CHANNELS; c++) {
    const colour = isReversed ? CHANNELS - 1 - c : c;
    for (let i = 0; i < area; i++) {
      const pixel = pixels[i * CHANNELS + colour];
      elements[i * pixelStep + c * channelStep] = tables ? tables[c][pixel] : pixel;
    }
  }
}
