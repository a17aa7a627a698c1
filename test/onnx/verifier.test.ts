import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensorOf } from '../../src/onnx/elements.js';
import type { Attribute, Graph, Model, Node, TensorData } from '../../src/onnx/graph.js';
import { verifyGraph, verifyModel } from '../../src/onnx/verifier.js';
import { randomIntegers } from '../lcq/random-layers.js';
import { tinyNetwork } from './tiny-network.js';

const network = (): Model => tinyNetwork(randomIntegers(1));

const refused = (message: RegExp, code = 'INVALID_ARGUMENT') => ({
  name: 'LcqError',
  code,
  message,
});

const node = (name: string, inputs: string[], outputs: string[]): Node => ({
  name,
  opType: 'Op',
  domain: '',
  inputs,
  outputs,
  attributes: {},
});

describe('a model that is well-formed passes', () => {
  test('and its lcq nodes and types are returned', () => {
    const model = network();
    const { nodes, types } = verifyModel(model);
    assert.deepEqual([...nodes.keys()], model.graph.nodes);
    assert.deepEqual(types.get('s2')?.shape, ['N', 4, 3, 8]);
    assert.deepEqual(types.get('c2'), { dtype: 'uint8', shape: ['N', 4, 3, 8], greatestCode: 3 });
    assert.deepEqual(types.get('logits'), { dtype: 'float32', shape: ['N', 5] });
  });

  test('where the size of the image is free, that of everything between is', () => {
    const model = network();
    model.graph.inputs[0] = { name: 'image', type: { dtype: 'uint8', shape: ['N', 'H', 'W', 3] } };
    const { types } = verifyModel(model);
    assert.equal(types.get('s2')?.shape.filter((size) => typeof size === 'string').length, 3);
    assert.deepEqual(types.get('logits')?.shape, ['N', 5]);
  });
});

describe('a graph', () => {
  function graphOf(nodes: Node[], initializers: [string, TensorData][] = []): Graph {
    const type = { dtype: 'float32', shape: [1] } as const;
    const inputs = [{ name: 'x', type }];
    return {
      name: 'g',
      inputs,
      outputs: [{ name: 'y', type }],
      initializers: new Map(initializers),
      nodes,
    };
  }

  const cases: [string, Graph, RegExp][] = [
    [
      'reads what is defined later',
      graphOf([node('a', ['b'], ['y']), node('b', ['x'], ['b'])]),
      /node 'a' .*'b' before/,
    ],
    ['reads what nobody defines', graphOf([node('a', ['z'], ['y'])]), /'z' before/],
    [
      'defines a value twice',
      graphOf([node('a', ['x'], ['y']), node('b', ['x'], ['y'])]),
      /node 'b' .*'y' again/,
    ],
    ['defines its input again', graphOf([node('a', ['x'], ['x', 'y'])]), /'x' again/],
    ['lacks its output', graphOf([]), /outputs read 'y' before/],
    [
      'has a constant of other bytes',
      graphOf(
        [node('a', ['x'], ['y'])],
        [['w', { dtype: 'int32', shape: [2], data: new Uint8Array(7) }]],
      ),
      /'w': its 7 bytes of int32/,
    ],
    [
      'has a constant of no shape',
      graphOf(
        [node('a', ['x'], ['y'])],
        [['w', { dtype: 'uint8', shape: [-1], data: new Uint8Array(0) }]],
      ),
      /'w': its shape/,
    ],
  ];
  for (const [title, graph, message] of cases) {
    test(`that ${title} is refused`, () =>
      assert.throws(() => verifyGraph(graph), refused(message)));
  }

  test('may leave out inputs and outputs', () => {
    verifyGraph(graphOf([node('a', ['x', '', 'x'], ['', 'y'])]));
  });
});

describe('a model', () => {
  test('must import the operator set of every node', () => {
    const model = network();
    delete model.opsets.lcq;
    assert.throws(
      () => verifyModel(model),
      refused(/LcqConvStream_s0.*domain 'lcq' is not imported/),
    );
  });

  test('must import a known version of the lcq operators', () => {
    const model = network();
    model.opsets.lcq = 2;
    assert.throws(() => verifyModel(model), refused(/version 2/, 'UNSUPPORTED'));
  });

  test('must have functions that are in order and refer to their own attributes', () => {
    const fn = {
      name: 'F',
      domain: 'd',
      inputs: ['x'],
      outputs: ['y'],
      attributes: ['a'],
      opsets: { '': 21 },
    };
    const withNode = (body: Node) => ({ ...network(), functions: [{ ...fn, nodes: [body] }] });
    const attributes: Record<string, Attribute> = { axis: { ref: 'b', type: 'int' } };
    verifyModel(withNode(node('n', ['x'], ['y'])));
    assert.throws(
      () => verifyModel(withNode({ ...node('n', ['x'], ['y']), attributes })),
      refused(/function 'F', node 'n' .*no attribute 'b'/),
    );
    assert.throws(
      () => verifyModel(withNode(node('n', ['z'], ['y']))),
      refused(/function 'F'.*'z' before/),
    );
  });
});

describe('an lcq node is refused by name', () => {
  /** Checks the tiny network after a change of one node or of one constant. */
  function check(change: (graph: Graph) => void, message: RegExp, code?: string): void {
    const model = network();
    change(model.graph);
    assert.throws(() => verifyModel(model), refused(message, code));
  }

  function replaceNode(name: string, patch: (node: Node) => Partial<Node>): (graph: Graph) => void {
    return ({ nodes }) => {
      const at = nodes.findIndex((candidate) => candidate.name === name);
      nodes[at] = { ...nodes[at], ...patch(nodes[at]) };
    };
  }

  const attributeCases: [string, string, Attribute, RegExp][] = [
    ['LcqConv_c1', 'weight_shape', { ints: [8, 3, 3] }, /'weight_shape' must be 4 sizes/],
    ['LcqConv_c1', 'weight_shape', { ints: [8, 3, 3, 0] }, /'weight_shape' must be 4 sizes/],
    ['LcqConv_c1', 'weight_shape', { ints: [2 ** 20, 2 ** 20, 2 ** 20, 4] }, /too many weights/],
    ['LcqConv_c1', 'weight_shape', { ints: [8, 3, 3, 5] }, /take 90 bytes, found 72/],
    ['LcqConv_c1', 'weight_bits', { int: 5 }, /must be 2, 3, 4 or 8/],
    ['LcqConv_c1', 'strides', { ints: [0, 1] }, /'strides'/],
    ['LcqConv_c1', 'pads', { ints: [1, 1, 1, -1] }, /'pads'/],
    ['LcqConv_c1', 'pads', { ints: [2 ** 40, 0, 0, 0] }, /'pads'/],
    ['LcqConv_c1', 'dilations', { ints: [9, 9] }, /smaller than the kernel/],
    ['LcqConv_c1', 'group', { int: 3 }, /group 3 does not divide/],
    ['LcqConv_c1', 'group', { int: 2 }, /channels: 4 where 8/],
    ['LcqConv_c1', 'input_zero_point', { int: 256 }, /'input_zero_point' is 256/],
    ['LcqConv_c1', 'input_zero_point', { float: 0 }, /'input_zero_point' must be an int/],
    ['LcqConvAdd_s2', 'output_min', { int: -1 }, /'output_min'/],
    ['LcqConvAdd_s2', 'residual_stride', { int: 1 }, /rows or columns of R/],
    ['LcqConvAdd_s2', 'residual_offset', { int: 5 }, /R has 4 channels from 5 on/],
    ['LcqMaxPool_q0', 'pads', { ints: [1, 1, 3, 1] }, /'pads' must be less/],
    ['LcqMaxPool_q0', 'kernel_shape', { ints: [11, 3] }, /smaller than the kernel/],
    ['LcqGlobalAveragePool_features', 'scale', { float: 0 }, /'scale'/],
    ['LcqGemm_logits', 'weight_shape', { ints: [8, 5] }, /scale' has 5 entries, must have 8/],
  ];
  for (const [name, attribute, value, message] of attributeCases) {
    test(`${name}: ${attribute} ${JSON.stringify(value)}`, () => {
      const change = replaceNode(name, ({ attributes }) => ({
        attributes: { ...attributes, [attribute]: value },
      }));
      check(change, new RegExp(`'${name}'.*${message.source}`));
    });
  }

  test('without an attribute', () => {
    const { group, ...attributes } = network().graph.nodes[3].attributes;
    assert.ok(group);
    check(
      replaceNode('LcqConv_c1', () => ({ attributes })),
      /'LcqConv_c1'.*'group'/,
    );
  });

  test('of an op that the domain does not have', () => {
    check(
      replaceNode('LcqConv_c1', () => ({ opType: 'toString' })),
      /'LcqConv_c1'/,
      'UNSUPPORTED',
    );
  });

  test('with a wrong number of inputs', () => {
    check(
      replaceNode('LcqConv_c1', ({ inputs }) => ({ inputs: inputs.slice(1) })),
      /5 inputs/,
    );
  });

  test('whose input is of another type', () => {
    check(
      replaceNode('LcqConv_c1', ({ inputs }) => ({ inputs: ['s0', ...inputs.slice(1)] })),
      /'X' must be uint8/,
    );
  });

  test('whose weights are not constant', () => {
    check(
      replaceNode('LcqConv_c1', ({ inputs }) => ({ inputs: ['c0', 'image', ...inputs.slice(2)] })),
      /'W' must be an initializer/,
    );
  });

  const constantCases: [string, string, TensorData, RegExp][] = [
    [
      'a weight code of no level',
      'c1.w',
      tensorOf('uint8', [72], new Uint8Array(72).fill(255)),
      /stands for no level/,
    ],
    [
      'too few weight levels',
      'c1.weight_levels',
      tensorOf('int8', [2], Int8Array.of(-1, 0)),
      /has 2 entries, must have 3/,
    ],
    [
      'a middle level that is not zero',
      'c1.weight_levels',
      tensorOf('int8', [3], Int8Array.of(-1, 1, 2)),
      /must be 0/,
    ],
    [
      'falling input levels',
      'c1.input_levels',
      tensorOf('uint8', [4], Uint8Array.of(0, 9, 8, 10)),
      /do not decrease/,
    ],
    ['no input levels', 'c1.input_levels', tensorOf('uint8', [0], new Uint8Array(0)), /1 to 256/],
    [
      'fewer input levels than codes',
      'c1.input_levels',
      tensorOf('uint8', [3], Uint8Array.of(0, 9, 18)),
      /codes reach 3/,
    ],
    [
      'falling thresholds',
      'c1.thresholds',
      tensorOf(
        'int32',
        [8, 2],
        Int32Array.from({ length: 16 }, (_, i) => -i),
      ),
      /ascending/,
    ],
    [
      'thresholds of other channels',
      'c1.thresholds',
      tensorOf('int32', [4, 3], new Int32Array(12)),
      /4 rows/,
    ],
    [
      'thresholds of another type',
      'c1.thresholds',
      tensorOf('int8', [8, 3], new Int8Array(24)),
      /must be int32/,
    ],
    [
      'too many thresholds',
      's2.thresholds',
      tensorOf('int32', [256], new Int32Array(256)),
      /more than 255/,
    ],
    [
      'a scale that is not finite',
      's2.scale',
      tensorOf('float32', [8], new Float32Array(8).fill(Number.NaN)),
      /finite/,
    ],
  ];
  for (const [title, name, tensor, message] of constantCases) {
    test(`with ${title}`, () => check((graph) => graph.initializers.set(name, tensor), message));
  }

  test('whose sums may leave 32 bits', () => {
    const change = (graph: Graph): void => {
      const count = 5 * 2 ** 17;
      const levels = Int8Array.from({ length: 255 }, (_, i) => i - 127);
      graph.initializers.set('wide.w', tensorOf('uint8', [count], new Uint8Array(count)));
      graph.initializers.set('wide.levels', tensorOf('int8', [255], levels));
      replaceNode('LcqGemm_logits', ({ inputs, attributes }) => ({
        inputs: [inputs[0], 'wide.w', 'wide.levels', ...inputs.slice(3)],
        attributes: { ...attributes, weight_shape: { ints: [5, 2 ** 17] } },
      }))(graph);
    };
    check(change, /beyond 32 bits/);
  });

  test('that pools more values than 32 bits can sum', () => {
    const change = (graph: Graph): void => {
      graph.inputs[0] = { name: 'image', type: { dtype: 'uint8', shape: [1, 600, 600, 3] } };
    };
    check(change, /300 x 300 values are too many/);
  });
});
