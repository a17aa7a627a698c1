import { unpackCodes, type WeightBits } from '../lcq/bit-packing.js';
import { quantizerGrid } from '../lcq/grid.js';
import { elementCount } from '../onnx/elements.js';
import type { Model, Node } from '../onnx/graph.js';
import { verifyModel } from '../onnx/verifier.js';
import { trainedQuantizers } from '../runtime/lcq-layers.js';
import type { TrainedQuantizer } from '../runtime/session.js';

/** Integer levels, by code and ascending; signed ones are symmetric around the zero in their middle. */
export interface Levels {
  readonly values: readonly number[];
  readonly isSigned: boolean;
}

/** An LCQ layer, as its file has it. */
export interface QuantizedLayer {
  readonly node: Node;
  readonly bits: WeightBits;
  /** [M, KH, KW, C/group], or [M, K] of a product. */
  readonly weightShape: readonly number[];
  /** In the order of `weightShape`. */
  readonly weightCodes: Uint8Array;
  readonly weightLevels: Levels;
  /** Of the codes that it reads, less the zero point. */
  readonly inputLevels: Levels;
}

/** @throws LcqError as verifyModel does */
export function quantizedLayers(model: Model): QuantizedLayer[] {
  const { nodes } = verifyModel(model);
  return model.graph.nodes.flatMap((node) => {
    const parsed = nodes.get(node);
    if (!parsed || !('operands' in parsed)) return [];
    const { weightShape, weightBits } = parsed.attributes;
    const { w, weightLevels, inputLevels } = parsed.operands;
    const zero = 'inputZeroPoint' in parsed.attributes ? parsed.attributes.inputZeroPoint : 0;
    return {
      node,
      bits: weightBits,
      weightShape,
      weightCodes: unpackCodes(w, elementCount(weightShape), weightBits),
      weightLevels: { values: [...weightLevels], isSigned: true },
      inputLevels: {
        values: Array.from(inputLevels, (level) => level - zero),
        isSigned: zero !== 0,
      },
    };
  });
}

/** The quantizers that a file tells of, by the name of what each made. */
export class NamedQuantizers {
  private readonly quantizers: ReadonlyMap<string, TrainedQuantizer>;

  constructor({ metadata }: Model) {
    this.quantizers = trainedQuantizers(metadata['lcq.quantizers'] ?? '');
  }

  /** The first that is there of `names` and made these levels: a file may tell anything of itself. */
  find(names: readonly string[], levels: Levels): TrainedQuantizer | undefined {
    return names
      .map((name) => this.quantizers.get(name))
      .find((quantizer) => quantizer !== undefined && hasMade(quantizer, levels));
  }
}

function hasMade({ bits, alpha, theta }: TrainedQuantizer, { values, isSigned }: Levels): boolean {
  const upper = isSigned ? values.slice(values.length >> 1) : values;
  const [cap] = upper.slice(-1);
  if (!(cap > 0)) return false;
  const { levels } = quantizerGrid({ bits, alpha, theta, signed: isSigned, cap });
  return levels.length === upper.length && levels.every((level, code) => level === upper[code]);
}
