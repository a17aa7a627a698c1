import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { configSchema } from '../../src/config/schema.js';
import { ModelServer, type Ports } from '../../src/main.js';
import { createLogger } from '../../src/observability/logger.js';
import type { Model, TensorData } from '../../src/onnx/graph.js';
import { encodeModel } from '../../src/onnx/serde.js';
import { createLcqSession } from '../../src/runtime/lcq-session.js';
import { COLOUR_CONFIG, colourSession } from '../serving/colour-model.js';
import { GrpcClient, TEST_SETTINGS } from './server-under-test.js';

const CELL = 8;
const CELLS = 4;
const SIDE = CELL * CELLS;
const COLUMNS = 8;

const float32 = (shape: readonly number[], data: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: new Uint8Array(Float32Array.from(data).buffer),
});

/**
 * A detector of coloured blocks with the head of YOLOX: `image` [N,3,32,32] to `boxes` [N,16,8].
 *
 * One convolution: for each cell of 8 x 8 pixels a box of 16 x 16 around its middle, objectness 1, and the means of
 * the three channels as the scores of three classes.
 */
function blockDetector(): Model {
  const perCell = 3 * CELL * CELL;
  const weights = new Array<number>(COLUMNS * perCell).fill(0);
  for (let c = 0; c < 3; c++) {
    const from = (5 + c) * perCell + c * CELL * CELL;
    weights.fill(1 / (255 * CELL * CELL), from, from + CELL * CELL);
  }
  const bias = [0.5, 0.5, Math.log(2), Math.log(2), 1, 0, 0, 0];
  const node = (opType: string, inputs: string[], output: string, attributes = {}) => ({
    name: output,
    opType,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  return {
    irVersion: 8,
    producer: 'test',
    opsets: { '': 18 },
    functions: [],
    metadata: {},
    graph: {
      name: 'blocks',
      inputs: [{ name: 'image', type: { dtype: 'float32', shape: ['N', 3, SIDE, SIDE] } }],
      outputs: [
        { name: 'boxes', type: { dtype: 'float32', shape: ['N', CELLS * CELLS, COLUMNS] } },
      ],
      initializers: new Map<string, TensorData>([
        ['weights', float32([COLUMNS, 3, CELL, CELL], weights)],
        ['bias', float32([COLUMNS], bias)],
        [
          'columns',
          {
            dtype: 'int64',
            shape: [3],
            data: new Uint8Array(BigInt64Array.from([0n, BigInt(COLUMNS), -1n]).buffer),
          },
        ],
      ]),
      nodes: [
        node('Conv', ['image', 'weights', 'bias'], 'map', {
          kernel_shape: { ints: [CELL, CELL] },
          strides: { ints: [CELL, CELL] },
        }),
        node('Reshape', ['map', 'columns'], 'rows'),
        node('Transpose', ['rows'], 'boxes', { perm: { ints: [0, 2, 1] } }),
      ],
    },
  };
}

const BLOCK_CONFIG = {
  task: 'detection',
  input: {
    name: 'image',
    layout: 'NCHW',
    width: SIDE,
    height: SIDE,
    channels: 'BGR',
    normalization: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
  },
  output: { decoder: 'yolox', name: 'boxes', strides: [CELL] },
  thresholds: { scoreThreshold: 0.5 },
  labels: 'labels.txt',
  maxBatchSize: 8,
};

/** The channels of the detector are blue, green, red; the names of the classes try to be markup. */
export const BLOCK_LABELS = ['blue <b>', 'green & "white"', 'red'];

export interface DetectionServer {
  readonly ports: Ports;
  /** Of the REST port. */
  readonly url: string;
  readonly vision: GrpcClient;
  metrics(): Promise<string>;
}

/** Writes the block detector into a model repository, as `blocks`. */
export const writeBlockDetector = (root: string): Promise<void> =>
  writeModel(root, 'blocks', BLOCK_CONFIG, BLOCK_LABELS, encodeModel(blockDetector()));

async function writeModel(
  root: string,
  name: string,
  config: object,
  labels: readonly string[],
  model: Uint8Array,
): Promise<void> {
  await mkdir(join(root, name, '1'), { recursive: true });
  await writeFile(join(root, name, 'config.json'), JSON.stringify(config));
  await writeFile(join(root, name, 'labels.txt'), labels.join('\n'));
  await writeFile(join(root, name, '1', 'model.onnx'), model);
}

/** Runs a server of the block detector `blocks`, on the real runtime, and of the classifier `colours`. */
export async function withDetectionServer(
  use: (context: DetectionServer) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lcq-detection-'));
  await writeBlockDetector(root);
  const labels = ['red', 'green', 'blue'];
  await writeModel(root, 'colours', COLOUR_CONFIG, labels, Buffer.from('of a fake session'));
  const config = configSchema.parse({ ...TEST_SETTINGS, modelRepository: root });
  const server = new ModelServer(config, {
    openSession: async ({ path }) =>
      path.includes('colours') ? colourSession() : createLcqSession(path),
    log: createLogger('silent'),
  });
  const ports = await server.listen();
  const vision = new GrpcClient('lcq.v1.Vision', ports.grpc);
  try {
    await server.load();
    await use({
      ports,
      url: `http://127.0.0.1:${ports.http}`,
      vision,
      metrics: async () => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text(),
    });
  } finally {
    vision.close();
    await server.close();
    await rm(root, { recursive: true });
  }
}

export interface Block {
  readonly colour: string;
  /** Column and row, in units of 16 pixels. */
  readonly at: readonly [number, number];
}

/** A black picture with blocks of 16 x 16 pixels: one cell of the detector each where the longer side is 64. */
export function blockPicture(width: number, height: number, blocks: readonly Block[]) {
  return sharp({ create: { width, height, channels: 3, background: '#000' } }).composite(
    blocks.map(({ colour, at: [column, row] }) => ({
      input: { create: { width: 16, height: 16, channels: 3 as const, background: colour } },
      left: column * 16,
      top: row * 16,
    })),
  );
}
