import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GraphBuilder } from '../../../src/onnx/builder.js';
import { TARGET } from '../../../src/training/detection/assignment.js';
import { detectionLoss } from '../../../src/training/detection/loss.js';
import { GraphSession } from '../../../src/training/graph-session.js';
import { Random } from '../../../src/training/random.js';

const CELLS = 4;
const CLASSES = 2;
const COLUMNS = 5 + CLASSES;
const WIDTH = TARGET.classes + CLASSES;

/** The loss as its definition says, in float64, with the overlaps that objectness learns given or its own. */
function plainLoss(cells: number[][], target: number[][], overlaps?: number[]) {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const crossEntropy = (x: number, t: number) =>
    -t * Math.log(sigmoid(x)) - (1 - t) * Math.log(1 - sigmoid(x));
  const ious: number[] = [];
  let sum = 0;
  cells.forEach((cell, i) => {
    const goal = target[i];
    const [ax, ay, aw, ah] = [cell[0], cell[1], Math.exp(cell[2]), Math.exp(cell[3])];
    const [bx, by, bw, bh] = goal;
    const span = (a: number, al: number, b: number, bl: number) => ({
      shared: Math.max(0, Math.min(a + al / 2, b + bl / 2) - Math.max(a - al / 2, b - bl / 2)),
      hull: Math.max(a + al / 2, b + bl / 2) - Math.min(a - al / 2, b - bl / 2),
    });
    const [x, y] = [span(ax, aw, bx, bw), span(ay, ah, by, bh)];
    const shared = x.shared * y.shared;
    const union = aw * ah + bw * bh - shared;
    const hull = x.hull * y.hull;
    ious.push(shared / union);
    const t = (overlaps ?? ious)[i] * goal[TARGET.overlap] + goal[TARGET.objectness];
    sum += (t - sigmoid(cell[4])) ** 2 * crossEntropy(cell[4], t);
    let matched = 0;
    for (let c = 0; c < CLASSES; c++)
      matched += crossEntropy(cell[5 + c], goal[TARGET.classes + c]);
    matched += 5 * (1 - (shared / union - (hull - union) / hull));
    sum += goal[TARGET.assigned] * matched;
  });
  const assigned = target.reduce((total, goal) => total + goal[TARGET.assigned], 0);
  return { loss: sum / Math.max(1, assigned), ious };
}

/** Cells 0 to 2 have an object, cell 2 far from what is predicted; cell 3 has none. */
function example(random: Random, share = 0) {
  const cells = Array.from({ length: CELLS }, () =>
    Array.from({ length: COLUMNS }, (_, c) => (c < 4 ? 0.4 : 1.5) * random.normal()),
  );
  const target = cells.map((_, i) => {
    if (i === 3) return [0, 0, 0, 0, 0, 0, share * 0.3, 0, 0];
    const away = i === 2 ? 5 : 0;
    const box = [away + 0.3, 0.2 * random.normal(), 1.3, 0.8];
    return [...box, 1, 1 - share, share * 0.7, 0.9, 0.1];
  });
  return { cells, target };
}

describe('the loss of a detector', () => {
  let session: GraphSession;
  before(async () => {
    const b = new GraphBuilder('loss');
    const cells = b.input('cells', [1, CELLS, COLUMNS]);
    const target = b.input('target', [1, CELLS, WIDTH]);
    const { loss, gradient } = detectionLoss(b, cells, target);
    b.output('loss', loss);
    b.output('gradient', gradient);
    const opsets = { '': 18, 'com.microsoft': 1 };
    const model = {
      irVersion: 8,
      producer: 'test',
      opsets,
      graph: b.graph,
      functions: [],
      metadata: {},
    };
    session = await GraphSession.create(model, 1);
  });
  after(() => session.release());
  const run = (cells: number[][], target: number[][]) =>
    session.run({
      cells: Float32Array.from(cells.flat()),
      target: Float32Array.from(target.flat()),
    });

  for (const share of [0, 0.5]) {
    test(`is what its definition says, and so is its gradient, with ${share} of a teacher`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        const { cells, target } = example(new Random(seed), share);
        const { loss, ious } = plainLoss(cells, target);
        const results = await run(cells, target);
        assert.ok(
          Math.abs(results.loss[0] - loss) < 1e-4 * (1 + loss),
          `${results.loss[0]}: ${loss}`,
        );
        const moved = (cell: number, column: number, by: number) => {
          const other = cells.map((row) => [...row]);
          other[cell][column] += by;
          // Objectness learns from the overlap, but the box does not from objectness.
          return plainLoss(other, target, ious).loss;
        };
        for (let cell = 0; cell < CELLS; cell++) {
          for (let column = 0; column < COLUMNS; column++) {
            const step = 1e-5;
            const slope = (moved(cell, column, step) - moved(cell, column, -step)) / (2 * step);
            const given = results.gradient[cell * COLUMNS + column];
            assert.ok(
              Math.abs(given - slope) < 1e-3 + 1e-3 * Math.abs(slope),
              `seed ${seed}, cell ${cell}, column ${column}: ${given} against ${slope}`,
            );
          }
        }
      }
    });
  }

  test('stays finite for outputs far from what training gives', async () => {
    const { target } = example(new Random(1));
    for (const value of [-80, 80]) {
      const cells = target.map(() =>
        Array.from({ length: COLUMNS }, (_, c) => (c < 4 ? 0 : value)),
      );
      const { loss, gradient } = await run(cells, target);
      assert.ok(Number.isFinite(loss[0]));
      assert.ok(gradient.every(Number.isFinite));
    }
  });

  test('a picture without objects only lowers objectness', async () => {
    const { cells } = example(new Random(2));
    const { gradient } = await run(
      cells,
      cells.map(() => new Array(WIDTH).fill(0)),
    );
    gradient.forEach((slope, i) => {
      if (i % COLUMNS === 4) assert.ok(slope > 0);
      else assert.equal(Math.abs(slope), 0);
    });
  });
});
