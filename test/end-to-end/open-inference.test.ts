import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR_CODES } from '../../src/errors.js';
import { colourLogits } from '../serving/colour-model.js';
import { rest, solidImage, withServer } from './server-under-test.js';

/** Pixels of `rows` pictures for the colour model, all different. */
const pixelsOf = (rows: number) =>
  Uint8Array.from({ length: rows * 192 }, (_, i) => (i * 7 + (i >> 5)) % 256);
const logitsOf = (pixels: Uint8Array) =>
  Array.from({ length: pixels.length / 192 }, (_, n) =>
    colourLogits(pixels.subarray(n * 192, (n + 1) * 192)),
  ).flat();
const floats = (bytes: Uint8Array) => [...new Float32Array(Uint8Array.from(bytes).buffer)];
const prefixed = (image: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(image.length);
  return Buffer.concat([length, image]);
};

const SPEC = {
  inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, 8, 8, 3] }],
  outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 3] }],
};

test('health and metadata over REST', () =>
  withServer(async ({ url }) => {
    assert.deepEqual((await rest(`${url}/v2/health/live`)).json, { live: true });
    assert.deepEqual((await rest(`${url}/v2/health/ready`)).json, { ready: true });
    for (const path of ['/v2', '/v2/']) {
      const { json, type } = await rest(`${url}${path}`);
      assert.equal(type, 'application/json');
      assert.equal(json.name, 'lcq-serving');
      assert.match(json.version, /^\d+\.\d+\.\d+/);
      assert.deepEqual(json.extensions, [
        'classification',
        'model_repository',
        'schedule_policy',
        'model_configuration',
        'binary_tensor_data',
        'statistics',
      ]);
    }
    for (const path of ['/v2/models/colours', '/v2/models/colours/versions/3']) {
      assert.deepEqual((await rest(`${url}${path}`)).json, {
        name: 'colours',
        versions: ['3'],
        platform: 'onnxruntime_onnx',
        ...SPEC,
      });
      assert.deepEqual((await rest(`${url}${path}/ready`)).json, { name: 'colours', ready: true });
    }
    assert.equal((await fetch(`${url}/v2/health/live`, { method: 'HEAD' })).status, 200);
  }));

test('health and metadata over gRPC', () =>
  withServer(async ({ inference }) => {
    assert.deepEqual(await inference.call('ServerLive', {}), { live: true });
    assert.deepEqual(await inference.call('ServerReady', {}), { ready: true });
    assert.equal((await inference.call('ServerMetadata', {})).name, 'lcq-serving');
    assert.deepEqual(await inference.call('ModelReady', { name: 'colours' }), { ready: true });
    assert.deepEqual(await inference.call('ModelMetadata', { name: 'colours', version: '3' }), {
      name: 'colours',
      versions: ['3'],
      platform: 'onnxruntime_onnx',
      ...SPEC,
    });
  }));

test('infer with JSON tensors, nested or flat, with and without id', () =>
  withServer(async ({ url }) => {
    const pixels = pixelsOf(2);
    const nested = [0, 1].map((n) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((y) => [
        ...pixels.subarray(n * 192 + y * 24, n * 192 + y * 24 + 24),
      ]),
    );
    for (const [data, id] of [
      [[...pixels], undefined],
      [nested, 'a-1'],
    ] as const) {
      const body = JSON.stringify({
        id,
        model_name: 'ignored',
        inputs: [{ name: 'image', datatype: 'UINT8', shape: [2, 8, 8, 3], data }],
      });
      const { status, type, json } = await rest(`${url}/v2/models/colours/infer`, body);
      assert.deepEqual([status, type], [200, 'application/json']);
      assert.deepEqual(json, {
        ...(id ? { id } : {}),
        model_name: 'colours',
        model_version: '3',
        outputs: [{ name: 'logits', datatype: 'FP32', shape: [2, 3], data: logitsOf(pixels) }],
      });
    }
  }));

test('infer with the binary tensor data extension, both ways', () =>
  withServer(async ({ url }) => {
    const pixels = pixelsOf(3);
    const json = JSON.stringify({
      inputs: [
        {
          name: 'image',
          datatype: 'UINT8',
          shape: [3, 8, 8, 3],
          parameters: { binary_data_size: 576 },
        },
      ],
      outputs: [{ name: 'logits', parameters: { binary_data: true } }],
    });
    const body = Buffer.concat([Buffer.from(json), pixels]);
    const reply = await rest(`${url}/v2/models/colours/versions/3/infer`, body, {
      headers: { 'inference-header-content-length': String(json.length) },
    });
    assert.equal(reply.type, 'application/octet-stream');
    const length = Number(reply.headers.get('inference-header-content-length'));
    const header = JSON.parse(reply.bytes.subarray(0, length).toString());
    assert.deepEqual(header.outputs, [
      { name: 'logits', datatype: 'FP32', shape: [3, 3], parameters: { binary_data_size: 36 } },
    ]);
    assert.deepEqual(floats(reply.bytes.subarray(length)), logitsOf(pixels));
  }));

test('a raw binary request, header length 0, is one row', () =>
  withServer(async ({ url }) => {
    const pixels = pixelsOf(1);
    const reply = await rest(`${url}/v2/models/colours/infer`, pixels, {
      headers: { 'inference-header-content-length': '0' },
    });
    const length = Number(reply.headers.get('inference-header-content-length'));
    assert.deepEqual(floats(reply.bytes.subarray(length)), logitsOf(pixels));
  }));

test('encoded pictures as BYTES are decoded by the server, on both transports', () =>
  withServer(async ({ url, inference }) => {
    const images = [await solidImage([200, 16, 32]), await solidImage([0, 64, 128], 'png', 20, 10)];
    const expected = [200 / 16, 1, 2, 0, 4, 8];
    const raw = Buffer.concat(images.map(prefixed));
    // OpenVINO's clients leave binary_data_size out.
    const json = JSON.stringify({ inputs: [{ name: 'image', datatype: 'BYTES', shape: [2] }] });
    const reply = await rest(
      `${url}/v2/models/colours/infer`,
      Buffer.concat([Buffer.from(json), raw]),
      {
        headers: { 'inference-header-content-length': String(json.length) },
      },
    );
    assert.deepEqual(reply.json.outputs[0].data, expected);
    const inputs = [{ name: 'image', datatype: 'BYTES', shape: [2] }];
    const request = { model_name: 'colours', id: 'x', inputs, raw_input_contents: [raw] };
    const response = await inference.call('ModelInfer', request);
    assert.equal(response.id, 'x');
    assert.deepEqual(floats(response.raw_output_contents[0]), expected);
    const typed = [{ ...inputs[0], contents: { bytes_contents: images } }];
    const again = await inference.call('ModelInfer', { model_name: 'colours', inputs: typed });
    assert.deepEqual(floats(again.raw_output_contents[0]), expected);
  }));

test('infer over gRPC with raw and typed contents; replies are always raw', () =>
  withServer(async ({ inference }) => {
    const pixels = pixelsOf(2);
    const input = { name: 'image', datatype: 'UINT8', shape: [2, 8, 8, 3] };
    const requests = [
      { inputs: [input], raw_input_contents: [pixels], outputs: [{ name: 'logits' }] },
      { inputs: [{ ...input, contents: { uint_contents: [...pixels] } }] },
    ];
    for (const request of requests) {
      const reply = await inference.call('ModelInfer', { model_name: 'colours', ...request });
      assert.equal(reply.model_version, '3');
      assert.equal(reply.outputs[0].contents, null);
      assert.deepEqual(reply.outputs[0].shape, [2, 3]);
      assert.deepEqual(floats(reply.raw_output_contents[0]), logitsOf(pixels));
    }
  }));

test('wrong tensors are INVALID_ARGUMENT with the same words on both transports', () =>
  withServer(async ({ url, inference }) => {
    const good = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] };
    const pixels = pixelsOf(1);
    const cases: [object[], Uint8Array[], RegExp][] = [
      [
        [],
        [],
        /expected 1 inputs but got 0 inputs for model 'colours'.*missing required input\(s\) \[image\]/,
      ],
      [
        [{ ...good, name: 'picture' }],
        [pixels],
        /unexpected inference input 'picture' for model 'colours'/,
      ],
      [[good, good], [pixels, pixels], /input 'image' already exists in request/],
      [
        [{ ...good, datatype: 'FP32' }],
        [pixels],
        /inference input 'image' data-type is 'FP32', but model 'colours' expects 'UINT8'/,
      ],
      [[{ ...good, datatype: 'NOPE' }], [pixels], /data-type is 'NOPE'/],
      [
        [{ ...good, shape: [1, 8, 8, 4] }],
        [pixels],
        /unexpected shape for input 'image' for model 'colours'. Expected \[-1,8,8,3\], got \[1,8,8,4\]/,
      ],
      [[{ ...good, shape: [192] }], [pixels], /unexpected shape/],
      [[{ ...good, shape: [0, 8, 8, 3] }], [new Uint8Array(0)], /unexpected shape/],
      [
        [{ ...good, shape: [9, 8, 8, 3] }],
        [pixelsOf(9)],
        /inference request batch-size must be <= 8 for 'colours'/,
      ],
      [
        [{ ...good, shape: [2, 8, 8, 3] }],
        [pixels],
        /input byte size mismatch for input 'image' for model 'colours'. Expected 384, got 192/,
      ],
      [[good], [pixels, pixels], /unexpected additional input data for model 'colours'/],
      [
        [{ ...good, datatype: 'BYTES', shape: [2] }],
        [prefixed(await solidImage([1, 2, 3]))],
        /has 1 BYTES elements for shape \[2\]/,
      ],
      [
        [{ ...good, datatype: 'BYTES', shape: [1] }],
        [Buffer.from([255, 255, 255, 255, 1])],
        /BYTES element 0 is longer than the data/,
      ],
      [
        [{ ...good, datatype: 'BYTES', shape: [1] }],
        [prefixed(Buffer.from('junk'))],
        /not a JPEG, PNG or WebP/,
      ],
    ];
    for (const [inputs, raw, message] of cases) {
      const sized = inputs.map((input, i) => ({
        ...input,
        parameters: { binary_data_size: raw[i].length },
      }));
      const json = JSON.stringify({ inputs: sized });
      const reply = await rest(
        `${url}/v2/models/colours/infer`,
        Buffer.concat([Buffer.from(json), ...raw]),
        {
          headers: { 'inference-header-content-length': String(json.length) },
        },
      );
      assert.deepEqual([reply.status, reply.json.code], [400, 'INVALID_ARGUMENT']);
      assert.match(reply.json.error, message);
      const request = { model_name: 'colours', inputs, raw_input_contents: raw };
      await assert.rejects(inference.call('ModelInfer', request), {
        code: ERROR_CODES.INVALID_ARGUMENT.grpc,
        details: reply.json.error,
      });
    }
  }));

test('wrong infer bodies and headers are refused over REST', () =>
  withServer(async ({ url }) => {
    const input = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] };
    const data = [...pixelsOf(1)];
    const infer = (body: unknown, jsonLength?: string) =>
      rest(
        `${url}/v2/models/colours/infer`,
        typeof body === 'string' ? body : JSON.stringify(body),
        {
          headers:
            jsonLength === undefined ? {} : { 'inference-header-content-length': jsonLength },
        },
      );
    const cases: [unknown, RegExp, string?][] = [
      ['', /not valid JSON/],
      ['{"inputs":', /not valid JSON/],
      ['[]', /invalid inference request/],
      ['null', /invalid inference request/],
      [{}, /'inputs'/],
      [{ inputs: [{ ...input, shape: [1.5] }] }, /'inputs.0.shape.0'/],
      [{ inputs: [{ ...input, shape: [-1, 8, 8, 3] }] }, /'inputs.0.shape.0'/],
      [{ inputs: [{ ...input, name: 7 }] }, /'inputs.0.name'/],
      [{ inputs: [input] }, /input 'image': 'data' must be an array/],
      [{ inputs: [{ ...input, data: [1, 2] }] }, /has 2 values, shape \[1,8,8,3\] means 192/],
      [{ inputs: [{ ...input, data: data.with(5, 256) }] }, /256 is not a value of UINT8/],
      [{ inputs: [{ ...input, data: data.with(5, 0.5) }] }, /0.5 is not a value of UINT8/],
      [{ inputs: [{ ...input, data: ['x', ...data.slice(1)] }] }, /"x" is not a value of UINT8/],
      [{ inputs: [{ ...input, datatype: 'FP16', data }] }, /Please use the binary data format/],
      [
        { inputs: [{ ...input, data }], outputs: [{ name: 'boxes' }] },
        /unexpected inference output 'boxes' for model 'colours'/,
      ],
      [
        { inputs: [{ ...input, data }], outputs: [{ name: 'logits' }, { name: 'logits' }] },
        /output 'logits' already exists/,
      ],
      [
        { inputs: [{ ...input, data: JSON.parse('['.repeat(101) + ']'.repeat(101)) }] },
        /nesting depth exceeds/,
      ],
      ['{"inputs":[]}', /header size should be in range \(0, 13\), got: 99/, '99'],
      ['{"inputs":[]}', /header size should be in range \(0, 13\), got: -1/, '-1'],
      ['{"inputs":[]}', /header size should be in range/, '99999999999999999999'],
      ['{"inputs":[]}', /header size should be in range/, 'ten'],
      ['{"inputs":[]}xyz', /unexpected additional input data/, '13'],
      [{ inputs: [{ ...input, data, parameters: { binary_data_size: 192 } }] }, /only one of/],
      [{ inputs: [{ ...input, parameters: { binary_data_size: -1 } }] }, /non-negative integer/],
      [
        { inputs: [{ ...input, parameters: { binary_data_size: 192 } }] },
        /unexpected size for input 'image', expecting 192 additional bytes/,
      ],
    ];
    for (const [body, message, jsonLength] of cases) {
      const { status, json } = await infer(body, jsonLength);
      assert.deepEqual([status, json.code], [400, 'INVALID_ARGUMENT'], JSON.stringify(body));
      assert.match(json.error, message);
    }
    const parameters = { shared_memory_region: 'r' };
    for (const body of [
      { inputs: [{ ...input, parameters }] },
      { inputs: [{ ...input, data }], outputs: [{ name: 'logits', parameters }] },
    ]) {
      const { status, json } = await infer(body);
      assert.deepEqual([status, json.code], [501, 'UNSUPPORTED']);
    }
  }));

test('wrong contents are refused over gRPC', () =>
  withServer(async ({ inference }) => {
    const input = { name: 'image', datatype: 'UINT8', shape: [1, 8, 8, 3] };
    const raw = [pixelsOf(1)];
    const cases: [object, RegExp][] = [
      [
        { inputs: [input] },
        /unable to find data for input tensor 'image' for model 'colours' in request/,
      ],
      [
        { inputs: [{ ...input, contents: { uint_contents: [1] } }], raw_input_contents: raw },
        /contents field must not be specified when using raw_input_contents for 'image'/,
      ],
      [
        { inputs: [{ ...input, contents: { fp32_contents: [1] } }] },
        /unexpected explicit tensor data for input tensor 'image' for model 'colours' of type 'fp32_contents', expected datatype 'UINT8'/,
      ],
      [{ inputs: [{ ...input, contents: { uint_contents: [1] } }] }, /Expected 192, got 1/],
      [
        { inputs: [{ ...input, shape: [-1, 8, 8, 3] }], raw_input_contents: raw },
        /unexpected shape/,
      ],
    ];
    for (const [request, message] of cases) {
      await assert.rejects(
        inference.call('ModelInfer', { model_name: 'colours', ...request }),
        (error: { code: number; details: string }) => {
          assert.equal(error.code, ERROR_CODES.INVALID_ARGUMENT.grpc);
          assert.match(error.details, message);
          return true;
        },
      );
    }
  }));
