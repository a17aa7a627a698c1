/**
 * `npm run test:rollout`: server processes behind HAProxy are scaled from 1 to 3, upgraded one by one and scaled back
 * to 1, with the probe and the drain times of the chart, under open-loop load: no request may fail. Where HAProxy is
 * missing, says so and checks nothing. `REQUESTS` and `RATE` (a second) of the environment change the load.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Ports } from '../../src/main.js';
import { GrpcClient, rest, solidImage } from '../end-to-end/server-under-test.js';
import { Balancer, type Doors } from './balancer.js';
import { type Call, Load } from './load.js';
import { Replica } from './replica.js';

const REQUESTS = Number(process.env.REQUESTS ?? 20_000);
const RATE = Number(process.env.RATE ?? 40);

/** As in deploy/helm/lcq-serving. */
const PROBE_PERIOD_MS = 2000;
const SETTINGS = {
  /** Longer than a probe's period and its timeout. */
  LCQ_DRAIN_DELAY_MS: 5000,
  LCQ_DRAIN_TIMEOUT_MS: 20_000,
  /** Shorter than the chart's, so that connections move while this lasts. */
  LCQ_GRPC_CONNECTION_AGE_MS: 10_000,
  LCQ_THREADS: 1,
};
const MODEL = 'resnet20-cifar10-w2a2';
const DOORS: Doors = { rest: 18_500, grpc: 18_501, grpcConnections: 18_502, statistics: 18_503 };
const OLD = [0, 1, 2];
const NEW = [3, 4, 5];
/** Each replica has ports of its own, as a pod has its address. They are below those that the kernel gives to others. */
const REPLICAS: readonly Ports[] = [...OLD, ...NEW].map((i) => {
  const http = 18_510 + 10 * i;
  return { http, grpc: http + 1, metrics: http + 2 };
});

const say = (line: string) => process.stdout.write(`${line}\n`);

/** The packaged model as version 1, and again as version 2: replies tell which release answered. */
async function releases(folder: string): Promise<[string, string]> {
  const packaged = fileURLToPath(new URL(`../../../models/${MODEL}`, import.meta.url));
  const [old, next] = ['1', '2'].map((version) => join(folder, `release-${version}`));
  for (const release of [old, next]) await cp(packaged, join(release, MODEL), { recursive: true });
  await rename(join(next, MODEL, '1'), join(next, MODEL, '2'));
  return [old, next];
}

async function calls(): Promise<Record<string, Call>> {
  const image = await solidImage([20, 40, 160], 'jpeg', 32, 32);
  const overGrpc = (port: number): Call => {
    const client = new GrpcClient('lcq.v1.Vision', port);
    return async () => (await client.call('Classify', { model: MODEL, image })).version;
  };
  return {
    rest: async () => {
      const url = `http://127.0.0.1:${DOORS.rest}/v1/models/${MODEL}:classify`;
      const { status, json, bytes } = await rest(url, image);
      if (status !== 200) throw new Error(`${status} ${bytes}`);
      return json.version;
    },
    grpc: overGrpc(DOORS.grpc),
    grpcConnections: overGrpc(DOORS.grpcConnections),
  };
}

class Rehearsal {
  readonly #replicas: (Replica | undefined)[] = [];
  readonly #balancer: Balancer;

  constructor(balancer: Balancer) {
    this.#balancer = balancer;
  }

  async start(i: number, release: string): Promise<void> {
    this.#replicas[i] = new Replica(REPLICAS[i], release, SETTINGS);
    await this.#balancer.sees(...this.#running);
  }

  async stop(i: number): Promise<void> {
    const start = performance.now();
    const status = await this.#replicas[i]?.stop();
    this.#replicas[i] = undefined;
    const seconds = (performance.now() - start) / 1000;
    say(`replica ${i} stopped in ${seconds.toFixed(1)} s, status ${status}`);
    if (status !== 0) process.exitCode = 1;
  }

  get #running(): number[] {
    return this.#replicas.flatMap((replica, i) => (replica === undefined ? [] : i));
  }
}

async function rehearse(
  rehearsal: Rehearsal,
  [old, next]: readonly [string, string],
): Promise<Load> {
  await rehearsal.start(0, old);
  const load = new Load(await calls(), RATE);
  for (const i of OLD.slice(1)) await rehearsal.start(i, old);
  say(`scaled from 1 to ${OLD.length}: ${load.sent} requests so far`);
  for (const [turn, i] of OLD.entries()) {
    await rehearsal.stop(i);
    await rehearsal.start(NEW[turn], next);
  }
  say(`upgraded one by one: ${load.sent} requests so far`);
  for (const i of NEW.slice(1)) await rehearsal.stop(i);
  say(`scaled from ${NEW.length} to 1: ${load.sent} requests so far`);
  while (load.sent < REQUESTS) await sleep(100);
  await load.stop();
  return load;
}

async function report(load: Load, balancer: Balancer): Promise<void> {
  for (const [door, { sent, failed, versions, failures }] of Object.entries(load.counts)) {
    const by = Object.entries(versions).map(([version, count]) => `${count} by release ${version}`);
    say(`${door}: ${sent} sent, ${failed} failed, answered ${by.join(', ')}`);
    for (const [message, count] of Object.entries(failures)) say(`  ${count} x ${message}`);
  }
  for (const { door, server, total } of await balancer.statistics())
    say(`  ${door} ${server}: ${total} ${door === 'grpcConnections' ? 'connections' : 'requests'}`);
  const failed = Object.values(load.counts).reduce((sum, count) => sum + count.failed, 0);
  say(`${failed} of ${load.sent} requests failed`);
  assert.equal(failed, 0);
  for (const { versions } of Object.values(load.counts))
    assert.deepEqual(Object.keys(versions).sort(), ['1', '2']);
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-rollout-'));
  const balancer = await Balancer.start(folder, DOORS, REPLICAS, PROBE_PERIOD_MS);
  const rehearsal = new Rehearsal(balancer);
  try {
    await report(await rehearse(rehearsal, await releases(folder)), balancer);
  } finally {
    await rm(folder, { recursive: true });
  }
}

// Ends what it started, also when it is told to end itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

if (spawnSync('haproxy', ['-v']).error === undefined) await main();
else say('skipped: haproxy is not installed, nothing was checked');
process.exit();
