/** Messages as bytes, written by hand from the protocol's field numbers: what clients of other makes send and read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INFERENCE_SERVICE, serviceDefinition } from '../../../src/transport/grpc/definitions.js';

const service = serviceDefinition(INFERENCE_SERVICE);

/** Tag, length and content of a field of bytes; `content` is text or bytes. */
function field(number: number, ...content: (string | number | Buffer)[]): Buffer {
  const body = bytes(...content);
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
}

const bytes = (...content: (string | number | Buffer)[]) =>
  Buffer.concat(
    content.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))),
  );

/** A field of one varint. */
const number = (field: number, value: number) => bytes(varint(field * 8), varint(value));

function varint(value: number): Buffer {
  return value < 128 ? Buffer.of(value) : bytes((value % 128) + 128, varint(value >> 7));
}

test('the helpers write what the encoding rules say', () => {
  assert.equal(field(2, 'testing').toString('hex'), '120774657374696e67');
  assert.equal(number(1, 150).toString('hex'), '089601');
  assert.equal(field(17, 'x').toString('hex'), '8a010178');
});

test('ModelInferRequest', () => {
  const request = bytes(
    field(1, 'net'),
    field(2, '3'),
    field(3, 'id'),
    field(4, field(1, 'timeout'), field(2, number(2, 300))),
    field(4, field(1, 'priority'), field(2, number(5, 2))),
    field(5, field(1, 'image'), field(2, 'UINT8'), field(3, 1, 2), field(5, field(4, 7, 8))),
    field(6, field(1, 'logits'), field(2, field(1, 'classification'), field(2, number(2, 5)))),
    field(7, 7, 8),
  );
  const message = service.ModelInfer.requestDeserialize(request);
  assert.equal(message.model_name, 'net');
  assert.equal(message.model_version, '3');
  assert.equal(message.id, 'id');
  assert.deepEqual(message.parameters, {
    timeout: { int64_param: '300', parameter_choice: 'int64_param' },
    priority: { uint64_param: '2', parameter_choice: 'uint64_param' },
  });
  const [input] = message.inputs;
  assert.deepEqual([input.name, input.datatype, input.shape], ['image', 'UINT8', ['1', '2']]);
  assert.deepEqual(input.contents.uint_contents, [7, 8]);
  assert.equal(message.outputs[0].name, 'logits');
  assert.equal(message.outputs[0].parameters.classification.int64_param, '5');
  assert.deepEqual(message.raw_input_contents, [Buffer.of(7, 8)]);
});

test('InferTensorContents has a field for each type', () => {
  const contents = bytes(
    field(1, 1, 0),
    field(2, 5),
    field(3, 6),
    field(4, 7),
    field(5, 8),
    field(6, 0, 0, 0x80, 0x3f),
    field(7, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f),
    field(8, 'ab'),
  );
  const [input] = service.ModelInfer.requestDeserialize(field(5, field(5, contents))).inputs;
  const { bool_contents, int_contents, int64_contents, uint_contents } = input.contents;
  assert.deepEqual(
    [bool_contents, int_contents, int64_contents, uint_contents],
    [[true, false], [5], ['6'], [7]],
  );
  const { uint64_contents, fp32_contents, fp64_contents, bytes_contents } = input.contents;
  assert.deepEqual(
    [uint64_contents, fp32_contents, fp64_contents, bytes_contents],
    [['8'], [1], [1], [Buffer.from('ab')]],
  );
});

const response = {
  model_name: 'net',
  model_version: '3',
  id: 'id',
  outputs: [{ name: 'logits', datatype: 'FP32', shape: [1, 2] }],
  raw_output_contents: [Buffer.from('12345678')],
};
const responseBytes = bytes(
  field(1, 'net'),
  field(2, '3'),
  field(3, 'id'),
  field(5, field(1, 'logits'), field(2, 'FP32'), field(3, 1, 2)),
  field(6, '12345678'),
);

test('ModelInferResponse and ModelStreamInferResponse', () => {
  assert.deepEqual(service.ModelInfer.responseSerialize(response), responseBytes);
  const streamed = { error_message: 'no', infer_response: response };
  assert.deepEqual(
    service.ModelStreamInfer.responseSerialize(streamed),
    bytes(field(1, 'no'), field(2, responseBytes)),
  );
});

test('ModelMetadataResponse', () => {
  const tensor = { name: 't', datatype: 'FP32', shape: [4, 3] };
  const tensorBytes = bytes(field(1, 't'), field(2, 'FP32'), field(3, 4, 3));
  assert.deepEqual(
    service.ModelMetadata.responseSerialize({
      name: 'net',
      versions: ['3'],
      platform: 'p',
      inputs: [tensor],
      outputs: [tensor],
    }),
    bytes(
      field(1, 'net'),
      field(2, '3'),
      field(3, 'p'),
      field(4, tensorBytes),
      field(5, tensorBytes),
    ),
  );
});

test('ModelConfigResponse', () => {
  const config = {
    name: 'net',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: { latest: { num_versions: 2 } },
    max_batch_size: 8,
    input: [{ name: 'image', data_type: 'TYPE_UINT8', format: 'FORMAT_NHWC', dims: [8, 8, 3] }],
    output: [{ name: 'logits', data_type: 'TYPE_FP32', dims: [3], label_filename: 'labels.txt' }],
    instance_group: [{ name: 'net', kind: 'KIND_CPU', count: 1 }],
    default_model_filename: 'model.onnx',
    dynamic_batching: {
      preferred_batch_size: [4, 8],
      max_queue_delay_microseconds: 5000,
      priority_levels: 3,
      default_priority_level: 2,
      default_queue_policy: {
        default_timeout_microseconds: 7,
        allow_timeout_override: true,
        max_queue_size: 256,
      },
    },
    model_transaction_policy: { decoupled: true },
  };
  const expected = bytes(
    field(1, 'net'),
    field(2, 'onnxruntime_onnx'),
    field(3, field(1, number(1, 2))),
    number(4, 8),
    field(5, field(1, 'image'), number(2, 2), number(3, 1), field(4, 8, 8, 3)),
    field(6, field(1, 'logits'), number(2, 11), field(3, 3), field(4, 'labels.txt')),
    field(7, field(1, 'net'), number(2, 1), number(4, 2)),
    field(8, 'model.onnx'),
    field(
      11,
      field(1, 4, 8),
      number(2, 5000),
      number(4, 3),
      number(5, 2),
      field(6, number(2, 7), number(3, 1), number(4, 256)),
    ),
    field(17, 'onnxruntime'),
    field(19, number(1, 1)),
  );
  assert.deepEqual(service.ModelConfig.responseSerialize({ config }), field(1, expected));
});

test('ModelStatisticsResponse', () => {
  const parts = ['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'];
  const durations = parts.map((name, i) => [name, { count: i + 1, ns: 1000 + i }]);
  const duration = (i: number) => bytes(number(1, i + 1), number(2, 1000 + i));
  const stats = {
    name: 'net',
    version: '3',
    last_inference: 77,
    inference_count: 20,
    execution_count: 10,
    inference_stats: Object.fromEntries(durations),
    batch_stats: [
      {
        batch_size: 2,
        compute_input: { count: 1, ns: 1000 },
        compute_infer: { count: 2, ns: 1001 },
        compute_output: { count: 3, ns: 1002 },
      },
    ],
  };
  const expected = bytes(
    field(1, 'net'),
    field(2, '3'),
    number(3, 77),
    number(4, 20),
    number(5, 10),
    field(6, ...parts.map((_, i) => field(i + 1, duration(i)))),
    field(7, number(1, 2), field(2, duration(0)), field(3, duration(1)), field(4, duration(2))),
  );
  const message = { model_stats: [stats] };
  assert.deepEqual(service.ModelStatistics.responseSerialize(message), field(1, expected));
});

test('the repository messages', () => {
  const { ready } = service.RepositoryIndex.requestDeserialize(number(2, 1));
  assert.equal(ready, true);
  const models = [{ name: 'net', version: '3', state: 'READY', reason: 'why' }];
  assert.deepEqual(
    service.RepositoryIndex.responseSerialize({ models }),
    field(1, field(1, 'net'), field(2, '3'), field(3, 'READY'), field(4, 'why')),
  );
  const parameter = field(3, field(1, 'config'), field(2, field(3, '{}')));
  const load = bytes(field(1, 'repo'), field(2, 'net'), parameter);
  for (const method of ['RepositoryModelLoad', 'RepositoryModelUnload']) {
    const message = service[method].requestDeserialize(load);
    assert.deepEqual([message.repository_name, message.model_name], ['repo', 'net']);
    assert.equal(message.parameters.config.string_param, '{}');
  }
});
