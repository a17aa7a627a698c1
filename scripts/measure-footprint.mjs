/**
 * Memory and CPU that a server with the embedded models takes, for sizing: `node scripts/measure-footprint.mjs`. Asks for
 * the classes of 32 x 32 and 1280 x 720 JPEGs, 16 requests at a time, and prints what the processes took.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import sharp from 'sharp';

const CONCURRENCY = 16;
const REQUESTS = 300;
const MODELS = ['resnet20-cifar10-fp32', 'resnet20-cifar10-w2a2'];
/** Of Linux, for /proc. */
const TICKS_PER_SECOND = 100;

const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
const command = ['dist/src/cli/lcq.js', 'serve', '--host', '127.0.0.1', ...ports];
const startedAt = performance.now();
const server = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = await once(createInterface({ input: server.stdout }), 'line');
console.log(`start to ready: ${Math.round(performance.now() - startedAt)} ms`);
const [url] = /http:\/\/[^,]+/.exec(line);
const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
const processes = { server: server.pid, worker: Number(children.split(' ')[0]) };

function mebibytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) / 1024);
  return `${of('VmRSS')} MiB now, ${of('VmHWM')} MiB at most`;
}

/** User and system time. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function load(image) {
  let sent = 0;
  const client = async () => {
    while (sent < REQUESTS) {
      const model = MODELS[sent % MODELS.length];
      sent += 1;
      const options = { method: 'POST', headers: { 'content-type': 'image/jpeg' }, body: image };
      const response = await fetch(`${url}/v1/models/${model}:classify`, options);
      if (response.status !== 200) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

const report = (when) => {
  for (const [name, pid] of Object.entries(processes)) {
    console.log(`${when}: ${name} ${mebibytes(pid)}`);
  }
};

report('idle');
for (const [width, height] of [
  [32, 32],
  [1280, 720],
]) {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 };
  const picture = sharp({ create: { width, height, channels: 3, noise } });
  const image = await picture.jpeg().toBuffer();
  const before = Object.values(processes).map(cpuSeconds);
  await load(image);
  report(`${REQUESTS} pictures of ${width} x ${height}`);
  Object.entries(processes).forEach(([name, pid], i) => {
    const ms = ((cpuSeconds(pid) - before[i]) * 1000) / REQUESTS;
    console.log(`  CPU of ${name}: ${ms.toFixed(2)} ms a request`);
  });
}
server.kill('SIGTERM');
await once(server, 'exit');
