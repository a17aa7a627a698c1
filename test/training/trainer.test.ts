import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { insertQuantizers, quantizedActivations } from '../../src/quantization/insert.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../../src/training/checkpoint.js';
import type { LabelledImages } from '../../src/training/image-folder.js';
import { cifarResNet } from '../../src/training/networks/resnet.js';
import { floatsOf, parametersOf } from '../../src/training/parameters.js';
import { Random } from '../../src/training/random.js';
import { accuracyOf, classification } from '../../src/training/tasks/classification.js';
import {
  rateAt,
  type StepReport,
  type TrainingSettings,
  train,
} from '../../src/training/trainer.js';

const SIZE = 8;
const CLASSES = ['horizontal', 'vertical'];

/** Noisy stripes: a task that a tiny network learns in seconds. */
function stripes(count: number, seed: number): LabelledImages {
  const random = new Random(seed);
  const labels = Uint16Array.from({ length: count }, () => random.integer(2));
  const pixels = new Uint8Array(count * SIZE * SIZE * 3);
  for (let i = 0; i < pixels.length; i++) {
    const cell = Math.floor(i / 3);
    const [row, column] = [Math.floor(cell / SIZE) % SIZE, cell % SIZE];
    const along = labels[Math.floor(cell / (SIZE * SIZE))] === 0 ? row : column;
    pixels[i] = (along % 4 < 2 ? 90 : 170) + random.integer(40);
  }
  return { pixels, labels, classes: CLASSES, count, height: SIZE, width: SIZE };
}

const settings: TrainingSettings = {
  epochs: 4,
  batch: 16,
  rate: 0.05,
  warmupEpochs: 1,
  seed: 3,
  distillation: 0.5,
  optimizer: {
    momentum: 0.9,
    weightDecay: 1e-4,
    rateScale: { weight: 1, affine: 1, clip: 0.1, compander: 1, statistic: 0 },
  },
};

function start(graph = cifarResNet(8, CLASSES.length, SIZE, 1)): Checkpoint {
  const text = JSON.stringify(settings);
  return { graph, momenta: new Map(), step: 0, classes: CLASSES, settings: text };
}

function quantizedStart(from: Checkpoint): Checkpoint {
  const clips = new Map(quantizedActivations(from.graph).map((name) => [name, 2]));
  const graph = insertQuantizers(
    from.graph,
    {
      weightBits: 2,
      activationBits: 2,
      intervals: 16,
      cells: 1024,
      chainGradient: false,
      weightNormalization: true,
    },
    clips,
  );
  return { ...from, graph, momenta: new Map(), step: 0 };
}

const always = async () => true;
const task = classification(stripes(64, 1), 1);

describe('training', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lcq-trainer-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('a network learns, then keeps what it learned at 2 bits with its quantizers trained along', async () => {
    const reports: StepReport[] = [];
    const onStep = async (report: StepReport) => {
      reports.push(report);
      return true;
    };
    const full = await train(start(), task, settings, { threads: 1, onStep });
    assert.equal(reports.length, 16);
    assert.deepEqual(
      reports.filter((r) => r.endOfEpoch).map((r) => r.epoch),
      [1, 2, 3, 4],
    );
    assert.ok(reports[15].epochLoss < reports[3].epochLoss / 2, 'the loss falls');
    assert.ok((await accuracyOf(full.graph, stripes(50, 2), 16, 1)) > 0.9);

    const low = quantizedStart(full);
    const trained = await train(low, task, settings, {
      threads: 1,
      onStep: always,
      teacher: full.graph,
    });
    assert.ok((await accuracyOf(trained.graph, stripes(50, 2), 16, 1)) > 0.9);
    for (const { name, role } of parametersOf(low.graph)) {
      if (role === 'weight') continue;
      const [before, after] = [low, trained].map(({ graph }) => floatsOf(graph, name));
      assert.notDeepEqual(after, before, `${name} was trained`);
    }
  });

  test('a run that was stopped and resumed equals one that was not, bit for bit', async () => {
    const whole = await train(start(), task, settings, { threads: 1, onStep: always });
    const path = join(folder, 'last.onnx');
    const half = await train(start(), task, settings, {
      threads: 1,
      onStep: async ({ step }) => step < 6,
    });
    assert.equal(half.step, 6);
    await writeCheckpoint(path, half);
    const resumed = await train(await readCheckpoint(path), task, settings, {
      threads: 1,
      onStep: always,
    });
    assert.equal(resumed.step, whole.step);
    for (const { name } of parametersOf(whole.graph)) {
      assert.deepEqual(floatsOf(resumed.graph, name), floatsOf(whole.graph, name), name);
    }
  });

  test('a loss that is no number stops the run with an error', async () => {
    const wild = { ...settings, rate: 1e30 };
    await assert.rejects(train(start(), task, wild, { threads: 1, onStep: always }), {
      code: 'INTERNAL',
      message: /diverged at step \d+/,
    });
  });

  test('the rate rises linearly, then falls by half a cosine to zero', () => {
    assert.equal(rateAt(0, 10, settings), 0.005);
    assert.equal(rateAt(9, 10, settings), 0.05);
    assert.equal(rateAt(10, 10, settings), 0.05);
    assert.ok(Math.abs(rateAt(25, 10, settings) - 0.025) < 1e-12);
    assert.ok(rateAt(39, 10, settings) < 2e-4);
  });
});
