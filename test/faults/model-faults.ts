/** Faults of what is served. */
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { type ModelKey, modelPath, type Question } from './questions.js';
import { both, loadModel, type Outcome, type Report, underLoad, type World } from './world.js';

const loadFailures = ({ server }: World) => server.metric('lcq_model_load_failures_total');
const content = (key: ModelKey) => readFile(modelPath(key));

/** Other content under the same version, again and again; answers are of the one or the other, whole. */
export function reloaded(questions: readonly Question[], quick: boolean): Promise<Outcome> {
  const times = quick ? 10 : 1000;
  const options = { settings: { modelControl: 'explicit', loadModels: 'net' } };
  return underLoad(`reload, ${times} times`, questions, options, async (world, report) => {
    for (let i = 1; i <= times; i++) {
      const key = i % 2 === 0 ? 'A' : 'B';
      await world.replaceModel(await content(key));
      world.load.allowed = both;
      const status = await loadModel(world.server);
      report.expect(status === 200, `a load was answered with ${status}`);
      world.load.allowed = new Set([key]);
      report.recoveries.push(await world.load.recovery());
    }
  });
}

/** A file cut short, one of noise and an empty one, by request: A goes on. Then B, which is whole. */
export function corruptLoaded(questions: readonly Question[]): Promise<Outcome> {
  const options = { settings: { modelControl: 'explicit', loadModels: 'net' } };
  return underLoad('corrupt model file, load', questions, options, async (world, report) => {
    for (const bytes of corrupt(await content('A'))) {
      await world.replaceModel(bytes);
      const status = await loadModel(world.server);
      report.expect(status >= 400 && status < 500, `a corrupt file was answered with ${status}`);
      report.recoveries.push(await world.load.recovery());
    }
    await takeOver(world, report, async () => void (await loadModel(world.server)));
  });
}

/** The same, found by polling. */
export function corruptPolled(questions: readonly Question[]): Promise<Outcome> {
  const options = { settings: { modelControl: 'poll', pollIntervalMs: 100 } };
  return underLoad('corrupt model file, poll', questions, options, async (world, report) => {
    for (const bytes of corrupt(await content('A'))) {
      const before = await loadFailures(world);
      await world.replaceModel(bytes);
      const deadline = performance.now() + 20_000;
      while ((await loadFailures(world)) === before && performance.now() < deadline) {
        await setTimeout(20);
      }
      report.expect((await loadFailures(world)) > before, 'the corrupt file was not found');
      report.recoveries.push(await world.load.recovery());
    }
    await takeOver(world, report, async () => {});
  });
}

/** Resolves once B answers, and lets nobody else answer from then on. */
async function takeOver(world: World, report: Report, load: () => Promise<void>): Promise<void> {
  world.load.allowed = both;
  await world.replaceModel(await content('B'));
  await load();
  const deadline = performance.now() + 20_000;
  while (world.load.lastAnswer !== 'B' && performance.now() < deadline) await setTimeout(20);
  report.expect(world.load.lastAnswer === 'B', 'the new content does not answer');
  // What A was running when B took over is finished.
  await setTimeout(1000);
  world.load.allowed = new Set(['B']);
}

function corrupt(model: Buffer): Uint8Array[] {
  const noise = Uint8Array.from(model, (byte, i) => (i % 97 === 0 ? byte ^ 0xff : byte));
  return [model.subarray(0, model.length / 2), noise, new Uint8Array()];
}
