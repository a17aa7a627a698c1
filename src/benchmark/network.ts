/**
 * The networks of the benchmark: one definition each, which every form (fp32, int8, LCQ) is written from. Batch
 * normalization is taken to be folded. A layer's name is the name of its value.
 */

export type Layer = Convolution | MaxPool | Classifier;

export interface Convolution {
  readonly kind: 'convolution';
  readonly name: string;
  readonly input: string;
  readonly inputChannels: number;
  readonly channels: number;
  /** Square, with (kernel - 1) / 2 pixels of padding. */
  readonly kernel: number;
  readonly stride: number;
  readonly group: number;
  /** A value that is added before the activation. */
  readonly residual?: string;
  /** The upper end of the activation, which starts at 0; left out for a linear layer. */
  readonly ceiling?: number;
}

export interface MaxPool {
  readonly kind: 'max-pool';
  readonly name: string;
  readonly input: string;
}

/** Global average pooling, then a matrix product. */
export interface Classifier {
  readonly kind: 'classifier';
  readonly name: string;
  readonly input: string;
  readonly inputChannels: number;
  readonly channels: number;
  /** Pixels that are averaged. */
  readonly pixels: number;
}

export interface Network {
  readonly name: string;
  /** The stem reads `image`, 3 channels of IMAGE_SIZE x IMAGE_SIZE. */
  readonly layers: readonly Layer[];
}

export const IMAGE_SIZE = 224;
export const CLASSES = 1000;
/** Of every max pool here. */
export const POOL = { kernel: 3, stride: 2, pad: 1 } as const;

export const NETWORKS: Readonly<Record<string, () => Network>> = {
  resnet50: () => resNet('resnet50', [3, 4, 6, 3], 4),
  resnet18: () => resNet('resnet18', [2, 2, 2, 2], 1),
  mobilenetv2: mobileNetV2,
};

class NetworkWriter {
  readonly layers: Layer[] = [];

  conv(
    name: string,
    input: string,
    [inputChannels, channels]: readonly [number, number],
    [kernel, stride]: readonly [number, number],
    options: Partial<Pick<Convolution, 'group' | 'residual' | 'ceiling'>> = {},
  ): string {
    const sizes = { inputChannels, channels, kernel, stride };
    this.layers.push({ kind: 'convolution', name, input, ...sizes, group: 1, ...options });
    return name;
  }
}

const relu = { ceiling: Infinity };

/** He et al. 2015 with the stride in the 3x3 convolution ("version 1.5"); `expansion` 4 makes bottlenecks, 1 basic blocks. */
function resNet(name: string, depths: readonly number[], expansion: 1 | 4): Network {
  const net = new NetworkWriter();
  net.conv('stem', 'image', [3, 64], [7, 2], relu);
  net.layers.push({ kind: 'max-pool', name: 'pool', input: 'stem' });
  let [x, from] = ['pool', 64];
  for (const [stage, depth] of depths.entries()) {
    const width = 64 << stage;
    const to = width * expansion;
    for (let i = 0; i < depth; i++) {
      const block = `stage${stage + 1}.${i}`;
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const residual =
        from === to && stride === 1 ? x : net.conv(`${block}.shortcut`, x, [from, to], [1, stride]);
      let y = x;
      if (expansion === 1) {
        y = net.conv(`${block}.conv1`, y, [from, width], [3, stride], relu);
        x = net.conv(`${block}.conv2`, y, [width, to], [3, 1], { residual, ...relu });
      } else {
        y = net.conv(`${block}.conv1`, y, [from, width], [1, 1], relu);
        y = net.conv(`${block}.conv2`, y, [width, width], [3, stride], relu);
        x = net.conv(`${block}.conv3`, y, [width, to], [1, 1], { residual, ...relu });
      }
      from = to;
    }
  }
  return { name, layers: [...net.layers, classifier(x, from)] };
}

/** Sandler et al. 2018, table 2, width 1. */
function mobileNetV2(): Network {
  const net = new NetworkWriter();
  const relu6 = { ceiling: 6 };
  let [x, from] = [net.conv('stem', 'image', [3, 32], [3, 2], relu6), 32];
  const stages = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];
  for (const [stage, [expansion, to, depth, firstStride]] of stages.entries()) {
    for (let i = 0; i < depth; i++) {
      const block = `stage${stage + 1}.${i}`;
      const stride = i === 0 ? firstStride : 1;
      const width = from * expansion;
      let y = x;
      if (expansion > 1) y = net.conv(`${block}.expand`, y, [from, width], [1, 1], relu6);
      const depthwise = { group: width, ...relu6 };
      y = net.conv(`${block}.depthwise`, y, [width, width], [3, stride], depthwise);
      const residual = stride === 1 && from === to ? { residual: x } : {};
      x = net.conv(`${block}.project`, y, [width, to], [1, 1], residual);
      from = to;
    }
  }
  x = net.conv('head', x, [from, 1280], [1, 1], relu6);
  return { name: 'mobilenetv2', layers: [...net.layers, classifier(x, 1280)] };
}

function classifier(input: string, inputChannels: number): Classifier {
  const pixels = (IMAGE_SIZE / 32) ** 2;
  return {
    kind: 'classifier',
    name: 'classifier',
    input,
    inputChannels,
    channels: CLASSES,
    pixels,
  };
}

/** Multiply-accumulates for one image. */
export function macsOf({ layers }: Network): number {
  const sizes = new Map([['image', IMAGE_SIZE]]);
  let macs = 0;
  for (const layer of layers) {
    const input = sizes.get(layer.input) as number;
    if (layer.kind === 'classifier') macs += layer.inputChannels * layer.channels;
    const stride = layer.kind === 'convolution' ? layer.stride : POOL.stride;
    const size = Math.ceil(input / stride);
    sizes.set(layer.name, size);
    if (layer.kind === 'convolution') {
      const { inputChannels, channels, kernel, group } = layer;
      macs += (size * size * channels * inputChannels * kernel * kernel) / group;
    }
  }
  return macs;
}
