import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ErrorCode, LcqError } from '../../src/errors.js';
import { ModelManager } from '../../src/repository/model-manager.js';
import { ModelRegistry } from '../../src/repository/registry.js';
import { type ModelDefinition, ModelRepository } from '../../src/repository/repository.js';

const CONFIG = {
  task: 'classification',
  input: { name: 'image', layout: 'NHWC', width: 32, height: 32 },
  output: { name: 'logits', activation: 'softmax' },
};

/** A servable that says what it was opened from. */
interface Opened {
  readonly version: string;
  closed: boolean;
  isOpen: boolean;
  close(): Promise<void>;
}

/** A repository on disk whose models are opened as plain objects; a model file of the text `bad` cannot be. */
class World {
  readonly registry = new ModelRegistry<Opened>();
  readonly opened: Opened[] = [];
  readonly faults: string[] = [];
  readonly failures: string[] = [];
  readonly manager: ModelManager<Opened>;
  readonly #root: string;
  /** Openings that were tried. */
  opens = 0;
  /** What every opening fails with. */
  failure: ErrorCode | undefined;
  /** How many openings from now the worker ends during, and the model whose opening always ends it. */
  crashes: [count: number, always: string] = [0, ''];
  /** What every opening waits for. */
  gate: Promise<void> = Promise.resolve();

  constructor(root: string, memoryBudgetBytes?: number) {
    this.#root = root;
    this.manager = new ModelManager<Opened>({
      repository: new ModelRepository(root),
      registry: this.registry,
      open: (definition) => this.#open(definition),
      memoryBudgetBytes,
      onFault: (name, { message }) => this.faults.push(`${name}: ${message}`),
      onLoadFailed: (name, code) => this.failures.push(`${name}: ${code}`),
    });
  }

  async write(name: string, version: string, content: string, config: object = {}): Promise<void> {
    await mkdir(join(this.#root, name, version), { recursive: true });
    await writeFile(
      join(this.#root, name, 'config.json'),
      JSON.stringify({ ...CONFIG, ...config }),
    );
    await writeFile(join(this.#root, name, version, 'model.onnx'), content);
  }

  remove(path: string): Promise<void> {
    return rm(join(this.#root, path), { recursive: true });
  }

  loadAll(): Promise<void> {
    return this.manager.loadAll(this.#root);
  }

  /** `name/version state reason` of each version. */
  states(): string[] {
    return this.registry
      .all()
      .map(({ name, version, state, reason }) => `${name}/${version} ${state} ${reason}`.trim());
  }

  async #open({ name, version, modelPath }: ModelDefinition): Promise<Opened> {
    await this.gate;
    this.opens += 1;
    this.crashes[0] -= 1;
    if (this.crashes[0] >= 0 || this.crashes[1] === name) {
      throw new LcqError('UNAVAILABLE', 'the worker ended');
    }
    if (this.failure !== undefined) throw new LcqError(this.failure, 'not now');
    if ((await readFile(modelPath, 'utf8')) === 'bad') {
      throw new LcqError('UNSUPPORTED', `version ${version} is bad`);
    }
    const servable: Opened = {
      version,
      closed: false,
      isOpen: true,
      async close() {
        this.closed = true;
      },
    };
    this.opened.push(servable);
    return servable;
  }
}

async function withWorld(use: (world: World) => Promise<void>, budget?: number): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'lcq-repository-'));
  try {
    await use(new World(root, budget));
  } finally {
    await rm(root, { recursive: true });
  }
}

test('version policies: the latest, some of them, all, or those listed', async () => {
  const cases: [object | undefined, string[]][] = [
    [undefined, ['10']],
    [{ policy: 'latest', count: 2 }, ['9', '10']],
    [{ policy: 'all' }, ['2', '9', '10']],
    [{ policy: 'specific', versions: [2, 10, 77] }, ['2', '10']],
  ];
  for (const [versions, expected] of cases) {
    await withWorld(async (world) => {
      for (const version of ['9', '10', '2']) {
        await world.write('a', version, 'x', versions ? { versions } : {});
      }
      await world.loadAll();
      assert.deepEqual(
        world.opened.map(({ version }) => version),
        expected,
      );
      assert.equal(world.registry.get('a').version, '10');
    });
  }
  await withWorld(async (world) => {
    await world.write('a', '1', 'x', { versions: { policy: 'specific', versions: [3] } });
    await assert.rejects(world.loadAll(), { code: 'NOT_FOUND', message: /none of the versions/ });
  });
});

test('polling loads what is new or changed, by content, and nothing else', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.loadAll();
    const [first] = world.opened;
    await world.manager.poll();
    // Written again, with the same content.
    await world.write('a', '1', 'one');
    await world.manager.poll();
    assert.equal(world.opened.length, 1);
    await world.write('a', '1', 'ONE');
    await world.manager.poll();
    assert.equal(world.opened.length, 2);
    assert.deepEqual([first.closed, world.registry.get('a')], [true, world.opened[1]]);
    await world.write('a', '1', 'ONE', { maxBatchSize: 4 });
    await world.manager.poll();
    assert.equal(world.opened.length, 3);
    await world.write('b', '7', 'new');
    await world.manager.poll();
    assert.equal(world.registry.get('b').version, '7');
    await world.remove('a');
    await world.manager.poll();
    assert.deepEqual(world.states(), ['a/1 UNAVAILABLE unloaded', 'b/7 READY']);
    assert.deepEqual(
      world.opened.map(({ closed }) => closed),
      [true, true, true, false],
    );
    assert.deepEqual(world.faults, []);
  }));

test('a new version takes over when it is loaded, and only then is the old one closed', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.loadAll();
    let open = () => {};
    world.gate = new Promise((resolve) => {
      open = resolve;
    });
    await world.write('a', '2', 'two');
    const polled = world.manager.poll();
    while (world.states().length < 2) await new Promise(setImmediate);
    assert.equal(world.registry.get('a').version, '1');
    open();
    await polled;
    assert.equal(world.registry.get('a').version, '2');
    assert.deepEqual(world.states(), ['a/1 UNAVAILABLE unloaded', 'a/2 READY']);
    assert.equal(world.opened[0].closed, true);
  }));

test('a load that fails keeps what answered, says why, and is not tried again until the content changes', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.loadAll();
    await world.write('a', '1', 'bad');
    await world.manager.poll();
    await world.manager.poll();
    assert.deepEqual(world.states(), ['a/1 READY version 1 is bad']);
    assert.deepEqual(world.faults, ['a: version 1 is bad']);
    await world.write('a', '1', 'one');
    await world.manager.poll();
    assert.deepEqual(world.states(), ['a/1 READY']);
    await world.write('a', '2', 'bad');
    await world.manager.poll();
    await world.manager.poll();
    assert.deepEqual(world.states(), ['a/1 READY', 'a/2 UNAVAILABLE version 2 is bad']);
    assert.deepEqual([world.registry.get('a').version, world.opened.length], ['1', 1]);
    await world.write('a', '2', 'good');
    await world.manager.poll();
    assert.deepEqual(world.states(), ['a/1 UNAVAILABLE unloaded', 'a/2 READY']);
  }));

test('a load that failed of what may pass is tried again; after crashes only a few times', async () => {
  const tries: Partial<Record<ErrorCode, number>> = {
    NOT_FOUND: 6,
    RESOURCE_EXHAUSTED: 6,
    UNAVAILABLE: 3,
    INVALID_ARGUMENT: 1,
  };
  for (const [code, expected] of Object.entries(tries)) {
    await withWorld(async (world) => {
      world.failure = code as ErrorCode;
      await world.write('a', '1', 'one');
      for (let i = 0; i < 6; i++) await world.manager.poll();
      assert.equal(world.opens, expected, code);
      world.failure = undefined;
      await world.manager.load('a');
      assert.deepEqual(world.states(), ['a/1 READY']);
    });
  }
});

test('a folder that cannot be read is a fault of its model alone', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.loadAll();
    await world.write('b', '1', 'one', { task: 'dreaming' });
    await world.write('two words', '1', 'one');
    await world.write('a', '1', 'ONE');
    await world.manager.poll();
    await world.manager.poll();
    assert.equal(world.opened.length, 2);
    assert.equal(world.faults.length, 2);
    assert.match(world.faults[0], /^b: b\/config\.json: task: /);
    const [a, b] = await world.manager.index();
    assert.deepEqual(a, { name: 'a', version: '1', state: 'READY', reason: '' });
    assert.equal(b.state, undefined);
    assert.match(b.reason, /^b\/config\.json: task: /);
  }));

test('a version that is loaded and does not answer is not ready in the index', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.loadAll();
    const [opened] = world.opened;
    const states = async () => (await world.manager.index()).map(({ state }) => state);
    assert.deepEqual(await states(), ['READY']);
    opened.isOpen = false;
    assert.deepEqual(await states(), ['UNAVAILABLE']);
    opened.isOpen = true;
    assert.deepEqual(await states(), ['READY']);
  }));

test('failed loads are counted by models of the repository, whatever callers ask for', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'bad', { required: false });
    await world.loadAll();
    await world.manager.poll();
    assert.deepEqual(world.failures, ['a: UNSUPPORTED']);
    await world.write('b', '1', 'one', { task: 'dreaming' });
    for (const name of ['b', 'invented', '../a']) {
      await assert.rejects(world.manager.load(name), LcqError);
    }
    assert.deepEqual(world.failures, ['a: UNSUPPORTED', 'b: INVALID_ARGUMENT']);
  }));

test('at the start a required model must load; another may fail', async () => {
  await withWorld(async (world) => {
    await world.write('a', '1', 'bad', { required: false });
    await world.write('b', '1', 'good');
    await world.loadAll();
    assert.deepEqual(world.states(), ['a/1 UNAVAILABLE version 1 is bad', 'b/1 READY']);
  });
  await withWorld(async (world) => {
    await world.write('a', '1', 'bad');
    await assert.rejects(world.loadAll(), { code: 'UNSUPPORTED', message: 'version 1 is bad' });
  });
  await withWorld((world) => assert.rejects(world.loadAll(), { message: /holds no model/ }));
});

test('at the start a model that ends its worker does not cost those that open beside it', () =>
  withWorld(async (world) => {
    for (const name of ['a', 'b', 'c'])
      await world.write(name, '1', name, { required: name !== 'b' });
    // The worker ends while all three open; then again each time that b opens.
    world.crashes = [3, 'b'];
    await world.loadAll();
    assert.deepEqual(world.states(), [
      'a/1 READY',
      'b/1 UNAVAILABLE the worker ended',
      'c/1 READY',
    ]);
    assert.deepEqual(world.faults, ['b: the worker ended']);
  }));

test('models are loaded and unloaded by name', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    await world.write('b', '1', 'bad');
    assert.deepEqual(await world.manager.index(), [
      { name: 'a', reason: '' },
      { name: 'b', reason: '' },
    ]);
    await world.manager.load('a');
    await world.manager.load('a');
    assert.equal(world.opened.length, 1);
    await assert.rejects(world.manager.load('b'), { code: 'UNSUPPORTED' });
    await world.write('b', '1', 'good');
    await world.manager.load('b');
    await world.manager.unload('a');
    assert.deepEqual(world.states(), ['a/1 UNAVAILABLE unloaded', 'b/1 READY']);
    await world.manager.unload('a');
    await world.manager.load('a');
    assert.deepEqual(world.states(), ['a/1 READY', 'b/1 READY']);
    for (const name of ['nothing', '..', '../a', '']) {
      await assert.rejects(world.manager.load(name), LcqError);
      await assert.rejects(world.manager.unload(name), { code: 'NOT_FOUND' });
    }
  }));

test('what exceeds the memory budget is refused; freed memory is used again', () =>
  withWorld(async (world) => {
    await world.write('a', '1', '0123456789');
    await world.write('b', '1', '0123456789', { instances: 2, memoryBytes: 7 });
    await world.manager.load('a');
    await assert.rejects(world.manager.load('b'), {
      code: 'RESOURCE_EXHAUSTED',
      message: "model 'b' version 1 needs 14 bytes; 10 of the memory budget of 20 bytes are taken",
    });
    await world.manager.unload('a');
    await world.manager.load('b');
    assert.deepEqual(world.manager.reservations, [{ name: 'b', version: '1', bytes: 14 }]);
    // A replacement needs room beside what it replaces.
    await world.write('b', '1', 'another', { instances: 2, memoryBytes: 7 });
    await world.manager.poll();
    assert.deepEqual(world.states()[1].split(' needs')[0], "b/1 READY model 'b' version 1");
    await world.write('b', '1', 'another', { memoryBytes: 6 });
    await world.manager.poll();
    assert.equal(world.states()[1], 'b/1 READY');
    assert.deepEqual(world.opened.length, 3);
  }, 20));

test('closing waits for the job at hand, closes everything and takes no more jobs', () =>
  withWorld(async (world) => {
    await world.write('a', '1', 'one');
    let open = () => {};
    world.gate = new Promise((resolve) => {
      open = resolve;
    });
    const loaded = world.manager.load('a');
    while (world.registry.find('a')?.state !== 'LOADING') await new Promise(setImmediate);
    const closed = world.manager.close();
    open();
    await Promise.all([loaded, closed]);
    assert.equal(world.opened[0].closed, true);
    await assert.rejects(world.manager.load('a'), { code: 'UNAVAILABLE' });
  }));
