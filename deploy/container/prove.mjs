/**
 * `npm run test:container`: builds the Dockerfile unchanged without a container engine (buildah, runc; as root), and
 * runs the image as a cluster would: read-only, an unknown user, no capabilities. Says what it found; where a tool is
 * missing, says so and checks nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { USER, writeBundle } from './oci-bundle.mjs';

const TOOLS = ['buildah', 'runc', 'mmdebstrap'];
const IMAGE = 'localhost/lcq-serving:proof';
const MOST_BYTES = 250e6;
const MOST_SECONDS_TO_READY = 1;
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const HTTP = 18_400;
const ENVIRONMENT = {
  LCQ_HOST: '127.0.0.1',
  LCQ_HTTP_PORT: HTTP,
  LCQ_GRPC_PORT: HTTP + 1,
  LCQ_METRICS_PORT: HTTP + 2,
};
const URL_ROOT = `http://127.0.0.1:${HTTP}`;

const root = fileURLToPath(new URL('../../', import.meta.url));
const say = (line) => process.stdout.write(`${line}\n`);
const run = (command, ...args) =>
  execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

function missing() {
  if (process.getuid() !== 0) return 'this is not root';
  const away = TOOLS.filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  return away.length === 0 ? undefined : `${away.join(', ')} not installed`;
}

/** The user's npm configuration goes along as a secret: it is in no layer. */
function build(work) {
  const [, tag] = /ARG NODE_TAG=(\S+)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  run(join(root, 'deploy/container/base-image.sh'), tag);
  const own = join(homedir(), '.npmrc');
  const npmrc = join(work, 'npmrc');
  writeFileSync(
    npmrc,
    `${existsSync(own) ? readFileSync(own, 'utf8') : ''}\ncafile=${CERTIFICATES}\n`,
  );
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const args = [
    '--quiet',
    '--format',
    'docker',
    '--layers',
    '--network',
    'host',
    '--runtime',
    'runc',
  ];
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  args.push('--build-arg', `TARGETARCH=${arch}`, '--build-arg', `VERSION=${version}`);
  args.push('--secret', `id=npmrc,src=${npmrc}`, '--volume', `${CERTIFICATES}:${CERTIFICATES}:ro`);
  run('buildah', 'build', ...args, '--tag', IMAGE, '.');
  say(`built ${IMAGE} from the Dockerfile, on a base made of Debian and npm packages`);
}

/** The image's configuration. */
function inspect() {
  const { Docker, OCIv1 } = JSON.parse(run('buildah', 'inspect', '--type', 'image', IMAGE));
  const { config } = Docker;
  assert.deepEqual(config.Healthcheck.Test.slice(0, 2), ['CMD', 'node']);
  assert.equal(config.StopSignal, 'SIGTERM');
  for (const label of ['title', 'description', 'licenses', 'version', 'revision'])
    assert.ok(`org.opencontainers.image.${label}` in config.Labels, label);
  const steps = OCIv1.history.filter((step) => !step.empty_layer).map((step) => step.created_by);
  say(`${OCIv1.rootfs.diff_ids.length} layers:`);
  for (const step of steps) say(`  ${step}`);
  return config;
}

/** What is in it, and what is not. */
function inspectFiles(mount) {
  const files = run('find', mount, '-type', 'f', '-printf', '%s %P\n')
    .trim()
    .split('\n')
    .map((line) => {
      const [, bytes, path] = /^(\d+) (.*)$/.exec(line);
      return { bytes: Number(bytes), path };
    });
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  say(`${(total / 1e6).toFixed(1)} MB uncompressed in ${files.length} files, the largest:`);
  for (const { bytes, path } of files.toSorted((a, b) => b.bytes - a.bytes).slice(0, 5))
    say(`  ${(bytes / 1e6).toFixed(1).padStart(6)} MB  ${path}`);
  assert.ok(total < MOST_BYTES, `${total} bytes are too many`);
  const unwanted =
    /(^|\/)(sh|bash|apt|dpkg|npm|perl|gcc)$|\.(h|cc|cpp|[cm]?ts|map)$|\.(dll|dylib)$|(^|\/)tests?\//;
  assert.deepEqual(
    files.filter(({ path }) => unwanted.test(path)),
    [],
  );
  assert.equal(files.filter(({ path }) => path.includes('libonnxruntime')).length, 1);
  say('no shell, no package manager, no headers, sources or tests, one ONNX Runtime');
}

const ready = () =>
  fetch(`${URL_ROOT}/v2/health/ready`, { headers: { connection: 'close' } }).then(
    ({ status }) => status === 200,
    () => false,
  );

/** A container's life, from its start to what `use` resolves to. */
async function withContainer(work, use) {
  const id = `lcq-proof-${process.pid}`;
  const child = spawn('runc', ['run', '--bundle', work, id], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const started = performance.now();
  try {
    while (!(await ready())) {
      assert.ok(child.exitCode === null && performance.now() - started < 60_000, log);
      // More often would take time from what is timed.
      await sleep(20);
    }
    return await use({ id, exited, seconds: (performance.now() - started) / 1000 });
  } finally {
    if (child.exitCode === null) run('runc', 'kill', id, 'KILL');
    await exited;
  }
}

const inside = (id, script) => run('runc', 'exec', id, 'node', '-p', script);

function checkConfinement(id) {
  const status = inside(id, `fs.readFileSync('/proc/1/status', 'utf8')`);
  for (const line of [
    'CapEff:\t0000000000000000',
    'NoNewPrivs:\t1',
    'Seccomp:\t2',
    `Uid:\t${USER.uid}`,
  ])
    assert.ok(status.includes(line), line);
  const write = (path) =>
    `try { fs.writeFileSync('${path}', ''); 'written' } catch (error) { error.code }`;
  for (const path of ['/file', '/app/file', '/tmp/file'])
    assert.equal(inside(id, write(path)).trim(), 'EROFS');
  say(
    `runs as user ${USER.uid}, group ${USER.gid}, without capabilities, under seccomp, on a read-only root, no /tmp`,
  );
}

async function checkAnswers() {
  const image = await sharp({ create: { width: 32, height: 32, channels: 3, background: 'navy' } })
    .jpeg()
    .toBuffer();
  const url = `${URL_ROOT}/v1/models/resnet20-cifar10-w2a2:classify`;
  const headers = { 'content-type': 'image/jpeg' };
  const { predictions } = await (await fetch(url, { method: 'POST', body: image, headers })).json();
  assert.ok(predictions[0].score > 0);
  const metrics = await (await fetch(`http://127.0.0.1:${HTTP + 2}/metrics`)).text();
  assert.match(metrics, /lcq_requests_total\{.*\} 1/);
}

/** Node is the first process: it must take up its dead children, and replace them. */
async function checkWorkerCrash(id) {
  const pids = () => JSON.parse(run('runc', 'ps', '--format', 'json', id));
  const commandLine = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  const worker = pids().find((pid) => commandLine(pid).includes('lcq-worker'));
  process.kill(worker, 'SIGKILL');
  const back = () =>
    pids().some((pid) => pid !== worker && commandLine(pid).includes('lcq-worker'));
  for (let tries = 0; tries < 100 && !back(); tries += 1) await sleep(100);
  assert.ok(back(), 'no new worker');
  assert.ok(!existsSync(`/proc/${worker}`), 'the dead worker is a zombie');
  say('a killed worker is taken up and replaced');
}

async function check({ id, exited, seconds }) {
  checkConfinement(id);
  await checkAnswers();
  run('runc', 'exec', id, 'node', '/app/dist/bundle/lcq.js', 'health');
  say('answers REST requests and metrics; the health check of the image says ready');
  await checkWorkerCrash(id);
  run('runc', 'kill', id, 'TERM');
  assert.deepEqual(await exited, [0, null]);
  say('SIGTERM to process 1: status 0');
  return seconds;
}

const reason = missing();
if (reason !== undefined) {
  say(`skipped: ${reason}; nothing was checked`);
} else {
  const work = mkdtempSync(join(tmpdir(), 'lcq-proof-'));
  let container;
  try {
    build(work);
    const image = inspect();
    container = run('buildah', 'from', IMAGE).trim();
    const mount = run('buildah', 'mount', container).trim();
    inspectFiles(mount);
    writeBundle(work, { root: mount, image, environment: ENVIRONMENT, cgroup: '/lcq-proof' });
    await withContainer(work, check);
    const times = [];
    for (let n = 0; n < 5; n += 1) times.push(await withContainer(work, ({ seconds }) => seconds));
    const [best, , median] = times.toSorted((a, b) => a - b);
    say(
      `from \`runc run\` to ready: median ${median.toFixed(2)} s, best ${best.toFixed(2)} s of ${times.length} ` +
        `(goal ${MOST_SECONDS_TO_READY} s; load ${loadavg()[0].toFixed(1)})`,
    );
  } finally {
    if (container !== undefined) run('buildah', 'rm', container);
    rmSync(work, { recursive: true });
  }
}
