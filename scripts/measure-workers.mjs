/**
 * Measures what it costs to run a session outside the server's process: the time of one request with its tensor and
 * of the reply with 4 kB, when the work itself takes no time.
 *   node scripts/measure-workers.mjs
 * Prints the median and the 99th percentile in microseconds for a thread (buffers transferred, not copied) and for the
 * worker processes of src/workers/ (child_process.fork).
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parentPort, Worker } from 'node:worker_threads';
import { serveSessions } from '../dist/src/workers/serve-sessions.js';
import { WorkerPool } from '../dist/src/workers/worker-pool.js';

const REPLY_ELEMENTS = 1000;
const ROUNDS = 2000;
const SIZES = { 'CIFAR 32x32': 3072, 'one 224x224': 150_528, 'eight 224x224': 1_204_224 };
const self = fileURLToPath(import.meta.url);
const reply = () => new Float32Array(REPLY_ELEMENTS);

const measure = async (name, bytes, ask) => {
  const times = [];
  for (let i = 0; i < ROUNDS + 200; i++) {
    const data = new Uint8Array(bytes);
    const start = performance.now();
    await ask(data);
    times.push(performance.now() - start);
  }
  const sorted = times.slice(200).sort((a, b) => a - b);
  const [median, p99] = [0.5, 0.99].map((q) => Math.round(sorted[Math.floor(q * ROUNDS)] * 1000));
  console.log(`${name.padEnd(28)} p50 ${String(median).padStart(6)} us   p99 ${p99} us`);
};

async function overThread(bytes, label) {
  const worker = new Worker(self, { argv: ['thread'] });
  await measure(`thread, ${label}`, bytes, async (data) => {
    const answer = once(worker, 'message');
    worker.postMessage(data, [data.buffer]);
    await answer;
  });
  await worker.terminate();
}

async function overProcess(bytes, label) {
  const unexpected = (event) => console.error(event);
  const pool = new WorkerPool(1, {
    command: { module: self, args: ['process'], env: process.env },
    backOffMs: 1000,
    maxBackOffMs: 1000,
    runTimeoutMs: 60_000,
  });
  for (const event of ['crash', 'restart', 'reopenFailed']) pool.on(event, unexpected);
  const session = await pool.open({ path: 'model', sha256: '' }, async () => {});
  await measure(`process, ${label}`, bytes, (data) =>
    session.run({ x: { datatype: 'UINT8', shape: [bytes], data } }),
  );
  await pool.close();
}

const roles = {
  thread: () =>
    parentPort.on('message', () => {
      const outputs = reply();
      parentPort.postMessage(outputs, [outputs.buffer]);
    }),
  process: () =>
    serveSessions(async () => ({
      inputs: [],
      outputs: [],
      run: async () => ({ y: { datatype: 'FP32', shape: [REPLY_ELEMENTS], data: reply() } }),
      dispose: async () => {},
    })),
};

const role = roles[process.argv[2]];
if (role) role();
else {
  for (const [label, bytes] of Object.entries(SIZES)) {
    await overThread(bytes, label);
    await overProcess(bytes, label);
  }
}
