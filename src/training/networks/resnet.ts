import type { Graph } from '../../onnx/graph.js';
import { Random } from '../random.js';
import { type FeatureMap, NetworkWriter } from './network-writer.js';

/**
 * The CIFAR ResNet of He et al. 2015, section 4.2, with parameter-free shortcuts (option A): 6n + 2 layers, n blocks at
 * each of 16, 32 and 64 channels.
 *
 * Input `image` uint8 [N, imageSize, imageSize, 3]; output `logits` float32 [N, classes]. Weights are drawn by `seed`.
 */
export function cifarResNet(
  depth: number,
  classes: number,
  imageSize: number,
  seed: number,
): Graph {
  if (!Number.isInteger((depth - 2) / 6) || depth < 8) {
    throw new RangeError(`a CIFAR ResNet has 6n + 2 layers, not ${depth}`);
  }
  const net = new NetworkWriter(`resnet${depth}`, new Random(seed));
  let x = net.layer('stem', net.image('image', imageSize, imageSize), { channels: 16 });
  let block = 0;
  for (const channels of [16, 32, 64]) {
    for (let i = 0; i < (depth - 2) / 6; i++, block++) {
      const stride = channels === x.channels ? 1 : 2;
      x = net.residualBlock(`block${block}`, x, { channels, stride });
    }
  }
  classifier(net, x, classes);
  return net.graph;
}

function classifier(net: NetworkWriter, x: FeatureMap, classes: number): void {
  const pooled = net.node('GlobalAveragePool', [x.name], 'pool');
  const flat = net.node('Flatten', [pooled], 'features', { axis: { int: 1 } });
  const weight = net.weights('classifier', [classes, x.channels], Math.sqrt(1 / x.channels));
  const bias = net.floats('classifier.bias', [classes], () => 0);
  net.node('Gemm', [flat, weight, bias], 'logits', { transB: { int: 1 } });
  net.output('logits', ['N', classes]);
}
