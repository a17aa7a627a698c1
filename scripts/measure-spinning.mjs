/**
 * Measures what becomes of ONNX Runtime's threads after a run: two sessions of one process that take turns, as two models
 * of one worker do, each with as many threads as there are cores.
 *   node scripts/measure-spinning.mjs [ROUNDS]
 * Prints for each setting the median milliseconds of a run and of the processor time that the process took from its
 * start to the start of the next, with a pause of 2 ms in between.
 */
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { createLcqSession } from '../dist/src/runtime/lcq-session.js';

const SETTINGS = {
  'spin (default)': {},
  'spin until the end of a run': { 'session.force_spinning_stop': '1' },
  'never spin': { 'session.intra_op.allow_spinning': '0' },
};
const PAUSE_MS = 2;
const rounds = Number(process.argv[2] ?? 200);
const image = { datatype: 'UINT8', shape: [1, 32, 32, 3], data: new Uint8Array(3072) };
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1].toFixed(2);

for (const model of ['resnet20-cifar10-w2a2', 'resnet20-cifar10-fp32']) {
  const path = new URL(`../models/${model}/1/model.onnx`, import.meta.url).pathname;
  const entrants = [];
  for (const [name, config] of Object.entries(SETTINGS)) {
    const open = () => createLcqSession(path, { intraOpThreads: availableParallelism(), config });
    entrants.push({ name, sessions: [await open(), await open()], wall: [], processor: [] });
  }
  for (let round = -5; round < rounds; round++) {
    // In turns, so that what else the machine does strikes all alike.
    for (const { sessions, wall, processor } of entrants) {
      for (const session of sessions) {
        const usage = process.cpuUsage();
        const start = performance.now();
        await session.run({ image });
        const end = performance.now();
        await setTimeout(PAUSE_MS);
        const { user, system } = process.cpuUsage(usage);
        if (round < 0) continue;
        wall.push(end - start);
        processor.push((user + system) / 1000);
      }
    }
  }
  for (const { name, wall, processor, sessions } of entrants) {
    console.log(
      `${model}  ${name.padEnd(28)} run ${median(wall)} ms   CPU ${median(processor)} ms`,
    );
    for (const session of sessions) await session.dispose();
  }
}
