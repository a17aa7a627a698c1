/** What GET /v1/models says of a model. */
export interface Model {
  readonly name: string;
  readonly version: string;
  readonly task: 'classification' | 'detection';
  readonly input: { readonly width: number; readonly height: number };
  readonly bytes: number;
  readonly bits?: { readonly weights: number; readonly activations: number };
}

export interface Compander {
  readonly alpha: number;
  readonly curve: readonly number[];
  readonly thresholds: readonly number[];
}

export interface Quantizer {
  readonly bits: number;
  readonly levels: readonly number[];
  readonly compander?: Compander;
}

export interface Layer {
  readonly name: string;
  readonly op: string;
  readonly kernel: string;
  readonly weightShape: readonly number[];
  readonly weights: Quantizer;
  readonly activations: Quantizer;
}

/** What GET /v1/models/NAME adds. */
export interface Description extends Model {
  readonly layers: readonly Layer[];
}

/** Marks of a precision at the end of a name: what is left is the same for all forms of one network. */
const PRECISION = /[-_.](fp32|float32|int8|w\d+a\d+)$/i;

const familyOf = ({ name }: Model): string => name.replace(PRECISION, '');

/** Models by network: the network with the most forms first, and in each the most bits. */
export function families(models: readonly Model[]): ReadonlyMap<string, Model[]> {
  const groups = new Map<string, Model[]>();
  for (const model of models) {
    const family = familyOf(model);
    groups.set(family, [...(groups.get(family) ?? []), model]);
  }
  // Of equal bits, as in models without quantized layers, the larger file.
  const weight = ({ bits, bytes }: Model) => (bits?.weights ?? 32) + bytes * 2 ** -60;
  for (const group of groups.values()) group.sort((a, b) => weight(b) - weight(a));
  return new Map([...groups].sort(([, a], [, b]) => b.length - a.length));
}

/** Bits of weights and activations; of a model without quantized layers what its name says, which is all there is. */
export function precision({ bits, name }: Model): string {
  if (bits !== undefined) return `W${bits.weights}A${bits.activations}`;
  return PRECISION.exec(name)?.[1].toUpperCase() ?? 'standard';
}
