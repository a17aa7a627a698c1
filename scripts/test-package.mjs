/**
 * Packs the package, installs it into an empty project and uses it there: the command, a server, TypeScript.
 *   npm run test:package
 * Needs the npm registry, and says so plainly when it is not reached.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { root } from './setup/command.mjs';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const project = mkdtempSync(join(tmpdir(), 'lcq package '));
const MODEL = 'resnet20-cifar10-w2a2';

const PROGRAM = `import { readFileSync } from 'node:fs';
import { GrpcClient, LcqError, RestClient, type LcqClient } from 'lcq-serving/client';
import { canonicalGraph, decodeModel, summarize } from 'lcq-serving/quantization';
import { createLcqSession, listKernels, registerLcqBackend, type Tensor } from 'lcq-serving/session';

const [model, picture, url, address] = process.argv.slice(2) as [string, string, string, string];
const bytes = readFileSync(model);
const layers: number = summarize(decodeModel(bytes)).layers.length;
registerLcqBackend();
const kernels = listKernels().filter(({ available }) => available);
const session = await createLcqSession(bytes);
const data = new Uint8Array(32 * 32 * 3);
const image: Tensor = { datatype: 'UINT8', shape: [1, 32, 32, 3], data };
const { logits } = await session.run({ image });
await session.dispose();
const clients: LcqClient[] = [new RestClient(url), new GrpcClient(address)];
const labels = [];
for (const client of clients) {
  const request = { model: '${MODEL}', image: readFileSync(picture), topK: 1 };
  labels.push((await client.classify(request)).predictions[0]?.index);
  client.close();
}
const isRefused = await clients[0]?.ready({ model: 'none' }).catch((e) => e instanceof LcqError);
console.log(JSON.stringify({ layers, kernels: kernels.length, logits: logits?.shape, labels, isRefused, canonical: typeof canonicalGraph }));
`;

const npm = (...args) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund'], {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const npx = (...args) =>
  execFileSync('npx', ['--no', '--', ...args], { cwd: project, encoding: 'utf8' });

/** Whether npm installs with these flags and settings, from an empty cache of decisions. */
function installs(flags, env = {}) {
  rmSync(join(project, 'node_modules'), { recursive: true, force: true });
  const args = ['install', ...flags, '--no-audit', '--no-fund', '--prefer-offline', tarball];
  return spawnSync('npm', args, { cwd: project, env: { ...process.env, ...env } }).status === 0;
}

/** Serves the packaged models, hands the addresses to `use` and stops. */
async function served(use) {
  const free = [
    '--host',
    '127.0.0.1',
    '--http-port',
    '0',
    '--grpc-port',
    '0',
    '--metrics-port',
    '0',
  ];
  const server = spawn(
    process.execPath,
    ['node_modules/.bin/lcq', 'serve', ...free, '--log-level', 'warn'],
    {
      cwd: project,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    const [line] = await Promise.race([once(server.stdout, 'data'), once(server, 'exit')]);
    const [, url, address] =
      /REST on (\S+), gRPC on ([^,]+),/.exec(String(line)) ?? assert.fail(String(line));
    await use(url, address);
  } finally {
    server.kill();
    await once(server, 'exit');
  }
}

if (spawnSync('npm', ['ping'], { stdio: 'ignore' }).status !== 0) {
  console.log('test:package: skipped, the npm registry is not reached');
  process.exit(0);
}
execFileSync(process.execPath, ['scripts/prepack.mjs'], { cwd: root, stdio: 'inherit' });
const packed = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--pack-destination', project], {
    cwd: root,
    encoding: 'utf8',
  }),
);
const [{ filename, size, unpackedSize, files }] = Array.isArray(packed)
  ? packed
  : Object.values(packed);
const tarball = join(project, filename);
const stray = files.filter(({ path }) => /^(test|dist\/test|loadtest)\//.test(path));
assert.deepEqual(stray, [], 'what is not for users is not shipped');
console.log(`packed: ${files.length} files, ${size} bytes, ${unpackedSize} unpacked`);

try {
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  assert.ok(
    installs([], { ONNXRUNTIME_NODE_INSTALL: 'skip' }),
    'installs with scripts, where they skip',
  );
  assert.ok(installs(['--ignore-scripts']), 'installs without scripts');
  const size = execFileSync('du', ['-sk', 'node_modules'], { cwd: project, encoding: 'utf8' });
  console.log(`installed: ${Math.round(Number.parseInt(size, 10) / 1024)} MiB`);

  assert.match(npx('lcq', '--help'), /Serves vision models/);
  const model = join('node_modules', manifest.name, 'models', MODEL, '1', 'model.onnx');
  assert.match(npx('lcq', 'inspect', model), /20 layers/);

  const lcqReport = () =>
    spawnSync('npx', ['--no', '--', 'lcq', 'report', model], { cwd: project, encoding: 'utf8' });
  assert.match(lcqReport().stderr, /UNSUPPORTED: .*npm install echarts/);
  npm('install', '--ignore-scripts', 'echarts@6');
  assert.equal(lcqReport().status, 0, 'a report, once echarts is there');

  const colours = { create: { width: 32, height: 32, channels: 3, background: '#36c' } };
  writeFileSync(join(project, 'picture.png'), await sharp(colours).png().toBuffer());
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  const { typescript, '@types/node': types } = manifest.devDependencies;
  npm('install', '--ignore-scripts', `typescript@${typescript}`, `@types/node@${types}`);
  const options = ['--module', 'nodenext', '--target', 'es2023', '--strict', '--types', 'node'];
  npx('tsc', ...options, 'program.ts');
  await served(async (url, address) => {
    const args = ['program.js', model, 'picture.png', url, address];
    const said = JSON.parse(
      execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8' }),
    );
    assert.deepEqual(said.logits, [1, 10]);
    assert.ok(
      said.layers === 20 && said.kernels >= 1 && said.isRefused === true,
      JSON.stringify(said),
    );
    assert.ok(said.labels[0] >= 0 && said.labels[0] === said.labels[1], JSON.stringify(said));
  });
  console.log(
    'used: lcq --help, inspect, report, serve; all subpaths compile under nodenext and run',
  );

  // Without the add-on of this platform: told what to do, and done.
  const installed = join(project, 'node_modules', manifest.name);
  renameSync(join(installed, 'prebuilds'), join(installed, 'prebuilds.gone'));
  const evaluate = () =>
    spawnSync(process.execPath, ['program.js', model], { cwd: project, encoding: 'utf8' });
  assert.match(evaluate().stderr, /npx lcq setup builds it/);
  npx('lcq', 'setup');
  assert.doesNotMatch(evaluate().stderr, /lcq setup/);
  console.log('built: lcq setup, where there is no prebuilt add-on');
} finally {
  rmSync(project, { recursive: true });
}
