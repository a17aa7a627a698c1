import { LCQ_DOMAIN } from '../onnx/domains.js';
import { tensorOf } from '../onnx/elements.js';
import type { Attribute, FunctionDef, Node } from '../onnx/graph.js';

/**
 * The `lcq` operators as model-local functions of standard ONNX ops: the executable form of docs/op-spec.md, which
 * lets a stock onnxruntime run the file. One body serves every layer; what differs is read from the attributes.
 */

export const LCQ_OPSET_VERSION = 1;
/** The standard opset of the function bodies, and so of every model that carries them. */
export const STANDARD_OPSET_VERSION = 21;

const UINT8 = 2;
const INT16 = 5;
const INT32 = 6;
const FLOAT = 1;
const INT16_MIN = -32768;
const INT16_MAX = 32767;
const MAX_INT64_SLICE_END = Number.MAX_SAFE_INTEGER;

type AttributeType = Extract<Attribute, { ref: string }>['type'];

/** Emits the nodes of one body. Values are names; every method adds what it needs and returns the name of its result. */
class FunctionBody {
  readonly nodes: Node[] = [];

  op(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output = `${opType.toLowerCase()}_${this.nodes.length}`,
  ): string {
    this.nodes.push({
      name: `make_${output}`,
      opType,
      domain: '',
      inputs,
      outputs: [output],
      attributes,
    });
    return output;
  }

  cast(value: string, to: number, output?: string): string {
    return this.op('Cast', [value], { to: { int: to } }, output);
  }

  /** int64 constant: a number is a scalar. */
  int64(value: number | readonly number[]): string {
    const attribute =
      typeof value === 'number' ? { value_int: { int: value } } : { value_ints: { ints: value } };
    return this.op('Constant', [], attribute as Record<string, Attribute>);
  }

  float(value: number): string {
    return this.op('Constant', [], { value_float: { float: value } });
  }

  int32(value: number): string {
    return this.op('Constant', [], {
      value: { tensor: tensorOf('int32', [], Int32Array.of(value)) },
    });
  }

  uint8(value: number): string {
    return this.op('Constant', [], {
      value: { tensor: tensorOf('uint8', [], Uint8Array.of(value)) },
    });
  }

  /** An attribute of the function as a constant: int64 scalar, int64 vector or float scalar. */
  attribute(name: string, type: 'int' | 'ints' | 'float'): string {
    return this.op('Constant', [], { [`value_${type}`]: { ref: name, type } });
  }
}

const reference = (name: string, type: AttributeType): Attribute => ({ ref: name, type });

/** An int scalar as a vector of one. */
function asVector(body: FunctionBody, scalar: string): string {
  return body.op('Unsqueeze', [scalar, body.int64([0])]);
}

/**
 * The packed stream as weight levels + 128, `uint8` of shape `weight_shape`: bytes to bits, spare bits cut off, bits
 * to codes, codes to levels. The offset is undone by a zero point of 128: on CPUs without VNNI an u8 x s8 product
 * saturates in onnxruntime, u8 x u8 does not. All of it is constant, so the runtime computes it once, when a session is
 * created.
 */
function unpackedWeights(body: FunctionBody): string {
  const shape = body.attribute('weight_shape', 'ints');
  const bits = asVector(body, body.attribute('weight_bits', 'int'));
  const count = body.op('ReduceProd', [shape], { keepdims: { int: 1 } });
  const powers = body.op('Constant', [], {
    value: { tensor: tensorOf('int32', [8], Int32Array.of(1, 2, 4, 8, 16, 32, 64, 128)) },
  });
  const bytes = body.op('Unsqueeze', [body.cast('W', INT32), body.int64([1])]);
  const shifted = body.op('Div', [bytes, powers]);
  const stream = body.op('Reshape', [body.op('Mod', [shifted, body.int32(2)]), body.int64([-1])]);
  const used = body.op('Slice', [
    stream,
    body.int64([0]),
    body.op('Mul', [count, bits]),
    body.int64([0]),
  ]);
  const rows = body.op('Reshape', [
    used,
    body.op('Concat', [body.int64([-1]), bits], { axis: { int: 0 } }),
  ]);
  const weighted = body.op('Mul', [
    rows,
    body.op('Slice', [powers, body.int64([0]), bits, body.int64([0])]),
  ]);
  const codes = body.op('ReduceSum', [weighted, body.int64([1])], { keepdims: { int: 0 } });
  const levels = body.op('Gather', [body.cast('weight_levels', INT32), codes]);
  const offset = body.cast(body.op('Add', [levels, body.int32(128)]), UINT8);
  return body.op('Reshape', [offset, shape]);
}

/** Input levels in the shape of X. */
function inputLevels(body: FunctionBody): string {
  return body.op('Gather', ['input_levels', body.cast('X', INT32)]);
}

/** acc `int32 [N,OH,OW,M]` */
function convolution(body: FunctionBody): string {
  const input = body.op('Transpose', [inputLevels(body)], { perm: { ints: [0, 3, 1, 2] } });
  const weights = body.op('Transpose', [unpackedWeights(body)], { perm: { ints: [0, 3, 1, 2] } });
  const zeroPoint = body.cast(body.attribute('input_zero_point', 'int'), UINT8);
  const acc = body.op('ConvInteger', [input, weights, zeroPoint, body.uint8(128)], {
    strides: reference('strides', 'ints'),
    pads: reference('pads', 'ints'),
    dilations: reference('dilations', 'ints'),
    group: reference('group', 'int'),
  });
  return body.op('Transpose', [acc], { perm: { ints: [0, 2, 3, 1] } });
}

/** fl(fl(fl(acc) * scale) + bias) */
function affine(body: FunctionBody, acc: string, output?: string): string {
  const scaled = body.op('Mul', [body.cast(acc, FLOAT), 'scale']);
  return body.op('Add', [scaled, 'bias'], {}, output);
}

/** rne(clamp(y)) as int32 */
function rounded(body: FunctionBody, y: string, low: number, high: number): string {
  return body.cast(
    body.op('Round', [body.op('Clip', [y, body.float(low), body.float(high)])]),
    INT32,
  );
}

/** #{ t : value >= thresholds[..., t] } as `Y` */
function codes(body: FunctionBody, value: string, thresholds: string): void {
  const last = body.int64([-1]);
  const reached = body.op('GreaterOrEqual', [body.op('Unsqueeze', [value, last]), thresholds]);
  const count = body.op('ReduceSum', [body.cast(reached, INT32), last], { keepdims: { int: 0 } });
  body.cast(count, UINT8, 'Y');
}

/** S = max(sat16(value), output_min), and the codes of S. */
function stream(body: FunctionBody, value: string): void {
  const minimum = body.cast(body.attribute('output_min', 'int'), INT32);
  const clamped = body.op('Clip', [value, minimum, body.int32(INT16_MAX)]);
  body.cast(clamped, INT16, 'S');
  codes(body, clamped, 'stream_thresholds');
}

/** R sub-sampled by `residual_stride` and moved up by `residual_offset` channels, zeros around: int32 [N,OH,OW,M] */
function residual(body: FunctionBody): string {
  const stride = asVector(body, body.attribute('residual_stride', 'int'));
  const offset = asVector(body, body.attribute('residual_offset', 'int'));
  const sampled = body.op('Slice', [
    body.cast('R', INT32),
    body.int64([0, 0]),
    body.int64([MAX_INT64_SLICE_END, MAX_INT64_SLICE_END]),
    body.int64([1, 2]),
    body.op('Concat', [stride, stride], { axis: { int: 0 } }),
  ]);
  const channels = body.op('Gather', [body.attribute('weight_shape', 'ints'), body.int64([0])]);
  const residualChannels = body.op('Shape', ['R'], { start: { int: 3 } });
  const above = body.op('Sub', [body.op('Sub', [channels, residualChannels]), offset]);
  const none = body.int64([0, 0, 0]);
  const pads = body.op('Concat', [none, offset, none, above], { axis: { int: 0 } });
  return body.op('Pad', [sampled, pads, body.int32(0)]);
}

/** MaxPool of a value [N,H,W,C], as [N,C,OH,OW]. */
function maxPool(body: FunctionBody, value: string): string {
  const channelsFirst = body.op('Transpose', [value], { perm: { ints: [0, 3, 1, 2] } });
  const attributes = Object.fromEntries(MAX_POOL_ATTRIBUTES.map((a) => [a, reference(a, 'ints')]));
  return body.op('MaxPool', [channelsFirst], attributes);
}

const CHANNELS_LAST = { perm: { ints: [0, 2, 3, 1] } };
const MAX_POOL_ATTRIBUTES = ['kernel_shape', 'strides', 'pads'];

function define(
  name: string,
  signature: Pick<FunctionDef, 'inputs' | 'outputs' | 'attributes'>,
  build: (body: FunctionBody) => void,
): FunctionDef {
  const body = new FunctionBody();
  build(body);
  return {
    name,
    domain: LCQ_DOMAIN,
    ...signature,
    opsets: { '': STANDARD_OPSET_VERSION },
    nodes: body.nodes,
  };
}

const MAX_THRESHOLDS = 255;

/**
 * #{ t : value >= thresholds[t] } as `Y` by binary search, since values are many: the table is filled up to 255 with
 * NaN, which nothing reaches.
 */
function searchedCodes(body: FunctionBody, value: string, thresholds: string): void {
  const count = body.op('Shape', [thresholds]);
  const room = body.op('Sub', [body.int64([MAX_THRESHOLDS]), count]);
  const pads = body.op('Concat', [body.int64([0]), room], { axis: { int: 0 } });
  const table = body.op('Pad', [thresholds, pads, body.float(Number.NaN)]);
  const code = [128, 64, 32, 16, 8, 4, 2, 1].reduce((reached, step) => {
    const threshold = body.op('Gather', [table, body.op('Add', [reached, body.int32(step - 1)])]);
    const more = body.cast(body.op('GreaterOrEqual', [value, threshold]), INT32);
    return body.op('Add', [reached, body.op('Mul', [more, body.int32(step)])]);
  }, body.int32(0));
  body.cast(code, UINT8, 'Y');
}

const OPERANDS = ['X', 'W', 'weight_levels', 'input_levels'];
const CONV_ATTRIBUTES = [
  'weight_shape',
  'weight_bits',
  'strides',
  'pads',
  'dilations',
  'group',
  'input_zero_point',
];

/** One body for each operator of docs/op-spec.md. */
export const lcqFunctions: readonly FunctionDef[] = [
  define('LcqQuantize', { inputs: ['X', 'thresholds'], outputs: ['Y'], attributes: [] }, (body) => {
    const reals = body.op('Transpose', ['X'], { perm: { ints: [0, 2, 3, 1] } });
    searchedCodes(body, reals, 'thresholds');
  }),
  define(
    'LcqConv',
    { inputs: [...OPERANDS, 'thresholds'], outputs: ['Y'], attributes: CONV_ATTRIBUTES },
    (body) => codes(body, convolution(body), 'thresholds'),
  ),
  define(
    'LcqConvStream',
    {
      inputs: [...OPERANDS, 'scale', 'bias', 'stream_thresholds'],
      outputs: ['S', 'Y'],
      attributes: [...CONV_ATTRIBUTES, 'output_min'],
    },
    (body) => stream(body, rounded(body, affine(body, convolution(body)), INT16_MIN, INT16_MAX)),
  ),
  define(
    'LcqConvAdd',
    {
      inputs: [...OPERANDS, 'scale', 'bias', 'R', 'stream_thresholds'],
      outputs: ['S', 'Y'],
      attributes: [...CONV_ATTRIBUTES, 'output_min', 'residual_stride', 'residual_offset'],
    },
    (body) => {
      const p = rounded(body, affine(body, convolution(body)), INT16_MIN, INT16_MAX);
      stream(body, body.op('Add', [p, residual(body)]));
    },
  ),
  define(
    'LcqGlobalAveragePool',
    { inputs: ['S'], outputs: ['Y'], attributes: ['scale'] },
    (body) => {
      const axes = body.int64([1, 2]);
      const sum = body.op('ReduceSum', [body.cast('S', INT32), axes], { keepdims: { int: 0 } });
      const mean = body.op('Mul', [body.cast(sum, FLOAT), body.attribute('scale', 'float')]);
      body.cast(rounded(body, mean, 0, 255), UINT8, 'Y');
    },
  ),
  define('LcqMaxPool', { inputs: ['X'], outputs: ['Y'], attributes: MAX_POOL_ATTRIBUTES }, (body) =>
    body.op('Transpose', [maxPool(body, 'X')], CHANNELS_LAST, 'Y'),
  ),
  define(
    'LcqMaxPoolStream',
    { inputs: ['S'], outputs: ['Y'], attributes: MAX_POOL_ATTRIBUTES },
    // MaxPool takes no int16; binary32 holds them all.
    (body) => {
      const pooled = maxPool(body, body.cast('S', FLOAT));
      body.cast(body.op('Transpose', [pooled], CHANNELS_LAST), INT16, 'Y');
    },
  ),
  define(
    'LcqGemm',
    {
      inputs: [...OPERANDS, 'scale', 'bias'],
      outputs: ['Y'],
      attributes: ['weight_shape', 'weight_bits'],
    },
    (body) => {
      const weights = body.op('Transpose', [unpackedWeights(body)], { perm: { ints: [1, 0] } });
      const operands = [inputLevels(body), weights, body.uint8(0), body.uint8(128)];
      affine(body, body.op('MatMulInteger', operands), 'Y');
    },
  ),
];
