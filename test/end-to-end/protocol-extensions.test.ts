import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES } from '../../src/errors.js';
import { decodeByteStrings } from '../../src/serving/tensor-bytes.js';
import { rest, type ServerUnderTest, withServer } from './server-under-test.js';

/** `[rows, 8, 8, 3]` pixels of one colour each. */
const pixelsOf = (...colours: [number, number, number][]) =>
  Uint8Array.from(
    colours.flatMap((colour) => Array.from({ length: 192 }, (_, i) => colour[i % 3])),
  );
const inputOf = (rows: number) => ({
  name: 'image',
  datatype: 'UINT8',
  shape: [rows, 8, 8, 3],
});

function inferJson(
  { url }: ServerUnderTest,
  pixels: Uint8Array,
  more: { outputs?: object[]; parameters?: object } = {},
) {
  const inputs = [{ ...inputOf(pixels.length / 192), data: [...pixels] }];
  return rest(`${url}/v2/models/colours/infer`, JSON.stringify({ inputs, ...more }));
}

test('classification: the best elements of each row as value:index:label, on both transports', () =>
  withServer(async (server) => {
    const pixels = pixelsOf([160, 16, 48], [0, 32, 200]);
    const expected = ['10.000000:0:red', '3.000000:2:blue', '12.500000:2:blue', '2.000000:1:green'];
    const outputs = [{ name: 'logits', parameters: { classification: 2 } }];
    const reply = await inferJson(server, pixels, { outputs });
    assert.deepEqual(reply.json.outputs, [
      { name: 'logits', datatype: 'BYTES', shape: [2, 2], data: expected },
    ]);
    const response = await server.inference.call('ModelInfer', {
      model_name: 'colours',
      inputs: [inputOf(2)],
      raw_input_contents: [pixels],
      outputs: [{ name: 'logits', parameters: { classification: { int64_param: 2 } } }],
    });
    assert.deepEqual([response.outputs[0].datatype, response.outputs[0].shape], ['BYTES', [2, 2]]);
    const strings = decodeByteStrings(response.raw_output_contents[0]);
    assert.deepEqual(
      strings.map((string) => Buffer.from(string).toString()),
      expected,
    );
    const all = [{ name: 'logits', parameters: { classification: 99 } }];
    assert.deepEqual(
      (await inferJson(server, pixels, { outputs: all })).json.outputs[0].shape,
      [2, 3],
    );
  }));

test('parameters of the wrong type or range are refused, unknown ones ignored', () =>
  withServer(async (server) => {
    const pixels = pixelsOf([1, 2, 3]);
    const wrong: [object, RegExp][] = [
      [{ timeout: -1 }, /parameter 'timeout' must be a non-negative integer/],
      [{ timeout: '5' }, /parameter 'timeout'/],
      [{ priority: 1.5 }, /parameter 'priority'/],
      [{ priority: true }, /parameter 'priority'/],
      [{ triton_secret: 1 }, /'triton_' are reserved/],
    ];
    for (const [parameters, message] of wrong) {
      const { status, json } = await inferJson(server, pixels, { parameters });
      assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT']);
      assert.match(json.error, message);
    }
    for (const classification of [0, -1, 1.5, '2', 1_000_001]) {
      const outputs = [{ name: 'logits', parameters: { classification } }];
      const { status, json } = await inferJson(server, pixels, { outputs });
      assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT']);
      assert.match(json.error, /parameter 'classification'/);
    }
    const request = {
      model_name: 'colours',
      inputs: [inputOf(1)],
      raw_input_contents: [pixels],
    };
    const overGrpc = { ...request, parameters: { timeout: { string_param: 'soon' } } };
    await assert.rejects(server.inference.call('ModelInfer', overGrpc), {
      code: ERROR_CODES.INVALID_ARGUMENT.grpc,
      details: "parameter 'timeout' must be a non-negative integer",
    });
    const parameters = { anything: 'goes', sequence_id: 0, timeout: 0, priority: 7 };
    assert.equal((await inferJson(server, pixels, { parameters })).status, 200);
    const typed = { priority: { uint64_param: 1 }, timeout: { int64_param: 5_000_000 } };
    await server.inference.call('ModelInfer', { ...request, parameters: typed });
  }));

test('the model configuration, the same on both transports', () =>
  withServer(async ({ url, inference }) => {
    const expected = {
      name: 'colours',
      platform: 'onnxruntime_onnx',
      backend: 'onnxruntime',
      version_policy: { latest: { num_versions: 1 } },
      max_batch_size: 8,
      input: [{ name: 'image', data_type: 'TYPE_UINT8', dims: [8, 8, 3], format: 'FORMAT_NHWC' }],
      output: [{ name: 'logits', data_type: 'TYPE_FP32', dims: [3], label_filename: 'labels.txt' }],
      instance_group: [{ name: 'colours', kind: 'KIND_CPU', count: 1 }],
      default_model_filename: 'model.onnx',
      dynamic_batching: {
        preferred_batch_size: [],
        max_queue_delay_microseconds: 5000,
        priority_levels: 1,
        default_priority_level: 1,
        default_queue_policy: {
          timeout_action: 'REJECT',
          default_timeout_microseconds: 0,
          allow_timeout_override: true,
          max_queue_size: 256,
        },
      },
      model_transaction_policy: { decoupled: false },
    };
    for (const path of ['colours', 'colours/versions/3']) {
      assert.deepEqual((await rest(`${url}/v2/models/${path}/config`)).json, expected);
    }
    const { config } = await inference.call('ModelConfig', { name: 'colours' });
    assert.deepEqual(config, {
      ...expected,
      input: [{ ...expected.input[0], data_type: 2, format: 1 }],
      output: [{ ...expected.output[0], data_type: 11 }],
      instance_group: [{ name: 'colours', kind: 2, count: 1 }],
      dynamic_batching: {
        ...expected.dynamic_batching,
        default_queue_policy: {
          ...expected.dynamic_batching.default_queue_policy,
          timeout_action: 0,
        },
      },
    });
    assert.equal((await rest(`${url}/v2/models/nothing/config`)).status, 404);
  }));

test('statistics count requests, rows, batches and their times, the same on both transports', () =>
  withServer(async (server) => {
    const { url, inference } = server;
    const before = Date.now();
    await inferJson(server, pixelsOf([1, 2, 3], [4, 5, 6]));
    await inferJson(server, pixelsOf([1, 2, 3], [4, 5, 6]));
    await inferJson(server, pixelsOf([1, 2, 3]));
    await rest(`${url}/v1/models/colours:classify`, Buffer.from('no picture'));
    for (const path of ['', '/colours', '/colours/versions/3']) {
      const { json } = await rest(`${url}/v2/models${path}/stats`);
      const [stats] = json.model_stats;
      assert.equal(json.model_stats.length, 1);
      assert.deepEqual([stats.name, stats.version], ['colours', '3']);
      assert.deepEqual([stats.inference_count, stats.execution_count], [5, 3]);
      assert.ok(stats.last_inference >= before && stats.last_inference <= Date.now());
      const { success, fail, queue, compute_input, compute_infer, compute_output, cache_hit } =
        stats.inference_stats;
      assert.deepEqual([success.count, fail.count, cache_hit.count], [3, 1, 0]);
      const parts = [queue, compute_input, compute_infer, compute_output];
      for (const part of parts) {
        assert.equal(part.count, 3);
        assert.ok(Number.isSafeInteger(part.ns) && part.ns > 0);
      }
      assert.ok(success.ns >= parts.reduce((total, { ns }) => total + ns, 0));
      const sizes = stats.batch_stats.map(
        (batch: { batch_size: number; compute_infer: { count: number } }) => [
          batch.batch_size,
          batch.compute_infer.count,
        ],
      );
      assert.deepEqual(sizes, [
        [1, 1],
        [2, 2],
      ]);
      const request = path === '' ? {} : { name: 'colours', version: path.split('/')[3] };
      const response = await inference.call('ModelStatistics', request);
      assert.deepEqual(response.model_stats, json.model_stats);
    }
    assert.equal((await rest(`${url}/v2/models/nothing/stats`)).status, 404);
    await assert.rejects(inference.call('ModelStatistics', { name: 'nothing' }), {
      code: ERROR_CODES.NOT_FOUND.grpc,
    });
  }));

test('extensions that are missing say so on both transports; no memory is shared', () =>
  withServer(async ({ url, inference }) => {
    const cases: [RegExp, string, string, ...('get' | 'post')[]][] = [
      [/^log settings are not supported/, 'logging', 'LogSettings', 'get', 'post'],
      [/^trace settings are not supported/, 'trace/setting', 'TraceSetting', 'get', 'post'],
      [/^trace settings/, 'models/colours/trace/setting', 'TraceSetting', 'get', 'post'],
      ...(['System', 'Cuda'] as const).flatMap((kind) =>
        (['Register', 'Unregister'] as const).map((verb): (typeof cases)[number] => [
          /^shared memory is not supported/,
          `${kind.toLowerCase()}sharedmemory/region/r/${verb.toLowerCase()}`,
          `${kind}SharedMemory${verb}`,
          'post',
        ]),
      ),
    ];
    for (const [message, path, method, ...verbs] of cases) {
      for (const verb of verbs) {
        const body = verb === 'post' ? '{}' : undefined;
        const { status, json } = await rest(`${url}/v2/${path}`, body);
        assert.deepEqual([status, json.code], [501, 'UNSUPPORTED'], path);
        assert.match(json.error, message);
      }
      await assert.rejects(inference.call(method, {}), ({ code, details }) => {
        assert.match(details, message);
        return code === ERROR_CODES.UNSUPPORTED.grpc;
      });
    }
    for (const kind of ['System', 'Cuda']) {
      const path = `${url}/v2/${kind.toLowerCase()}sharedmemory`;
      assert.deepEqual((await rest(`${path}/status`)).json, []);
      assert.equal((await rest(`${path}/region/r/status`)).json.code, 'NOT_FOUND');
      assert.equal((await rest(`${path}/unregister`, '')).json.code, 'UNSUPPORTED');
      const { regions } = await inference.call(`${kind}SharedMemoryStatus`, {});
      assert.deepEqual(regions, {});
      await assert.rejects(inference.call(`${kind}SharedMemoryStatus`, { name: 'r' }), {
        code: ERROR_CODES.NOT_FOUND.grpc,
      });
    }
  }));

test('a repository with a name is refused on both transports, whatever is asked of it', () =>
  withServer(async ({ url, inference }) => {
    const details = "'repository_name' specification is not supported";
    for (const action of ['index', 'models/colours/load', 'models/colours/unload']) {
      const { status, json } = await rest(`${url}/v2/repository/mine/${action}`, '{}');
      assert.deepEqual([status, json], [501, { error: details, code: 'UNSUPPORTED' }]);
    }
    for (const method of ['RepositoryIndex', 'RepositoryModelLoad', 'RepositoryModelUnload']) {
      await assert.rejects(inference.call(method, { repository_name: 'mine' }), {
        code: ERROR_CODES.UNSUPPORTED.grpc,
        details,
      });
    }
  }));
