/** Calls of every RPC, whole and damaged, as the frames that go over the connection. */
import { deflateSync, gzipSync } from 'node:zlib';
import fc, { type Arbitrary } from 'fast-check';
import {
  INFERENCE_SERVICE,
  serviceDefinition,
  VISION_SERVICE,
} from '../../src/transport/grpc/definitions.js';
import { delimited, integer } from '../onnx/wire.js';
import type { FuzzTargets } from './campaign.js';
import { damaged, oddText } from './mutations.js';

export interface GrpcCall {
  readonly path: string;
  /** Beside the pseudo-headers. */
  readonly headers: readonly (readonly [string, string])[];
  /** All data: length-prefixed messages. */
  readonly bytes: Buffer;
}

interface Message {
  readonly path: string;
  readonly bytes: Buffer;
}

/** One call; most have damaged messages, frames or metadata. */
export function grpcCalls(targets: FuzzTargets): Arbitrary<GrpcCall> {
  const message = messages(targets);
  const broken = message.chain(({ path, bytes }) =>
    damaged(bytes).map((bytes): Message => ({ path, bytes })),
  );
  const sent = fc.oneof(
    { weight: 4, arbitrary: message },
    { weight: 8, arbitrary: broken },
    // What one method takes, to another.
    {
      weight: 1,
      arbitrary: fc.tuple(message, message).map(([{ path }, { bytes }]) => ({ path, bytes })),
    },
  );
  return fc.oneof(
    { weight: 10, arbitrary: fc.tuple(sent, fc.nat(3)).chain(framed) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.oneof(fc.constantFrom(...STRANGE_PATHS), oddText), fc.uint8Array())
        .map(([path, bytes]) => ({ path: `/${path}`, headers: [], bytes: frame(0, bytes) })),
    },
  );
}

const STRANGE_PATHS = [
  ...['', '/', 'inference.GRPCInferenceService', 'inference.GRPCInferenceService/modelInfer'],
  ...['inference.GRPCInferenceService/SystemSharedMemoryStatus', 'lcq.v1.Vision/__proto__'],
  ...['inference.GRPCInferenceService/TraceSetting', 'inference.GRPCInferenceService/LogSettings'],
];

const INFERENCE = INFERENCE_SERVICE;
const VISION = VISION_SERVICE;

type Choice = Readonly<Record<string, unknown>>;

function messages({ classifiers, detector, picture }: FuzzTargets): Arbitrary<Message> {
  const name = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...classifiers, detector) },
    { weight: 1, arbitrary: oddText },
  );
  const version = fc.oneof({ weight: 9, arbitrary: fc.constantFrom('', '1') }, oddText);
  const call = (
    service: typeof INFERENCE | typeof VISION,
    methods: string[],
    request: Arbitrary<Choice>,
  ) =>
    fc.tuple(fc.constantFrom(...methods), request).map(([method, value]) => {
      const { path, requestSerialize } = serviceDefinition(service)[method];
      return { path, bytes: requestSerialize(value) };
    });
  const image = fc.oneof(
    { weight: 3, arbitrary: fc.constant(picture) },
    { weight: 1, arbitrary: damaged(picture) },
  );
  const number = fc.oneof(fc.constantFrom(0, 1, 5, 2 ** 31 - 1, -1), fc.float());
  const repositoryName = fc.oneof({ weight: 5, arbitrary: fc.constant('') }, oddText);
  const parameters = fc.constantFrom<object>({}, { unload_dependents: { bool_param: true } });
  return fc.oneof(
    call(INFERENCE, ['ServerLive', 'ServerReady', 'ServerMetadata'], fc.constant({})),
    call(
      INFERENCE,
      ['ModelReady', 'ModelMetadata', 'ModelConfig', 'ModelStatistics'],
      fc.record({ name, version }),
    ),
    ...[0, 1, 2].map(() =>
      call(INFERENCE, ['ModelInfer', 'ModelStreamInfer'], inferRequest(name, version, picture)),
    ),
    call(
      VISION,
      ['Classify', 'Detect', 'DetectStream'],
      fc.record({
        ...{ model: name, version, image, top_k: fc.constantFrom(0, 1, 2 ** 32 - 1) },
        ...{ score_threshold: number, iou_threshold: number },
        max_detections: fc.constantFrom(0, 1, 5000),
      }),
    ),
    call(
      INFERENCE,
      ['RepositoryIndex'],
      fc.record({ repository_name: repositoryName, ready: fc.boolean() }),
    ),
    call(
      INFERENCE,
      ['RepositoryModelLoad', 'RepositoryModelLoad', 'RepositoryModelUnload'],
      fc.record({
        repository_name: repositoryName,
        model_name: fc.constantFrom(detector, 'nothing', '..'),
        parameters,
      }),
    ),
    health(),
    reflection(),
  );
}

/** Of the classifiers: `image` UINT8 [N,32,32,3]. */
const PIXELS = Buffer.from(Uint8Array.from({ length: 3072 }, (_, i) => (i * 7) % 256));

function inferRequest(
  model_name: Arbitrary<string>,
  model_version: Arbitrary<string>,
  picture: Buffer,
): Arbitrary<Choice> {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32LE(picture.length);
  const datatype = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('UINT8', 'BYTES') },
    { weight: 1, arbitrary: fc.constantFrom('FP16', 'BF16', 'BOOL', 'INT64', 'fp32', '') },
  );
  const size = fc.constantFrom(0, 1, 3, 32, 33, -1, 2 ** 31, Number.MAX_SAFE_INTEGER);
  const shape = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom([1, 32, 32, 3], [2, 32, 32, 3], [1]) },
    { weight: 1, arbitrary: fc.array(size, { maxLength: 6 }) },
  );
  const raw = fc.constantFrom(PIXELS, Buffer.concat([PIXELS, PIXELS]));
  const encoded = fc.constant(Buffer.concat([prefix, picture]));
  const content = fc.oneof(
    raw,
    encoded,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  const contents = fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.constantFrom<object>(
      { uint_contents: [...PIXELS] },
      { fp32_contents: [Number.NaN, 1] },
      { bytes_contents: [picture, picture] },
      { int64_contents: ['-9223372036854775808'], bool_contents: [true] },
    ),
  );
  const parameter = fc.constantFrom(
    ...[{ int64_param: '-1' }, { uint64_param: '18446744073709551615' }, { int64_param: '2' }],
    ...[{ bool_param: true }, { string_param: 'x' }, { double_param: Number.NaN }, {}],
  );
  const parameters = fc.dictionary(
    fc.constantFrom('priority', 'timeout', 'classification', 'triton_x', '__proto__', 'a'),
    parameter,
    { maxKeys: 2 },
  );
  const tensorName = fc.oneof({ weight: 8, arbitrary: fc.constant('image') }, oddText);
  const outputName = fc.oneof({ weight: 8, arbitrary: fc.constant('logits') }, oddText);
  return fc.record({
    ...{ model_name, model_version, id: fc.oneof(fc.constant('7'), oddText), parameters },
    inputs: fc.array(fc.record({ name: tensorName, datatype, shape, parameters, contents }), {
      minLength: 1,
      maxLength: 2,
    }),
    outputs: fc.array(fc.record({ name: outputName, parameters }), { maxLength: 2 }),
    raw_input_contents: fc.array(content, { maxLength: 2 }),
  });
}

/** `HealthCheckRequest` written by hand. */
const health = (): Arbitrary<Message> =>
  fc
    .tuple(fc.constantFrom('Check', 'Watch', 'List'), fc.oneof(fc.constant(INFERENCE), oddText))
    .map(([method, service]) => ({
      path: `/grpc.health.v1.Health/${method}`,
      bytes: Buffer.from(delimited(1, service)),
    }));

/** `ServerReflectionRequest`, of both versions. */
function reflection(): Arbitrary<Message> {
  const names = [VISION, INFERENCE, 'inference.ModelInferRequest', 'open_inference.proto'];
  const name = fc.oneof(fc.constantFrom(...names), oddText);
  const extension = (name: string) => [...delimited(1, name), ...integer(2, 7)];
  return fc
    .tuple(fc.constantFrom('v1', 'v1alpha'), fc.constantFrom(1, 3, 4, 5, 6, 7), name)
    .map(([version, field, name]) => ({
      path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      bytes: Buffer.from(delimited(field, field === 5 ? extension(name) : name)),
    }));
}

const odd = (...texts: string[]) => fc.oneof(fc.constantFrom(...texts), oddText);

const header: Arbitrary<readonly [string, string]> = fc.oneof(
  fc.tuple(fc.constant('grpc-timeout'), odd('1n', '5S', '0S', '-1S', '99999999H', '1', '1000m')),
  fc.tuple(fc.constant('grpc-encoding'), odd('gzip', 'deflate', 'br', 'identity')),
  fc.tuple(
    fc.constant('content-type'),
    odd('application/grpc+json', 'application/json', 'application/grpc-web'),
  ),
  fc.tuple(fc.constant('grpc-accept-encoding'), oddText),
  fc.tuple(fc.constant('triton_grpc_error'), odd('true')),
  fc.tuple(fc.constantFrom('x-request-id', 'traceparent', 'x-api-key', 'a-bin', 'te'), oddText),
);

type Packing = (message: Buffer) => { headers: readonly [string, string][]; bytes: Buffer };

const plain = (bytes: Buffer) => ({ headers: [], bytes });
/** Ways to put a message on the wire; most are wrong. */
const PACKINGS: readonly Packing[] = [
  ...Array.from({ length: 8 }, (): Packing => (message) => plain(frame(0, message))),
  (message) => ({ headers: [['grpc-encoding', 'gzip']], bytes: frame(1, gzipSync(message)) }),
  (message) => ({ headers: [['grpc-encoding', 'deflate']], bytes: frame(1, deflateSync(message)) }),
  (message) => ({ headers: [['grpc-encoding', 'gzip']], bytes: frame(1, message) }),
  () => ({ headers: [['grpc-encoding', 'gzip']], bytes: frame(1, BOMB) }),
  (message) => plain(frame(1, message)),
  (message) => plain(frame(7, message)),
  (message) => plain(frame(0, message).subarray(0, 5 + (message.length >> 1))),
  (message) => plain(Buffer.concat([frame(0, message), frame(0, message)])),
  (message) => plain(Buffer.concat([frame(0, message), Buffer.of(0, 0, 1)])),
  () => plain(Buffer.alloc(0)),
  () => plain(Buffer.from([0, 255, 255, 255, 255, 1, 2, 3])),
];

/** Unpacks to twice what a message may be. */
const BOMB = gzipSync(Buffer.alloc(2 << 20));

function framed([{ path, bytes }, repeated]: [Message, number]): Arbitrary<GrpcCall> {
  const isStream = path.includes('Stream') || path.includes('Reflection');
  return fc
    .tuple(fc.constantFrom(...PACKINGS), fc.array(header, { maxLength: 2 }), fc.nat(2))
    .map(([pack, more, chance]) => {
      const packed = pack(bytes);
      const copies = Array.from({ length: isStream ? repeated + 1 : 1 }, () => packed.bytes);
      const headers = [...packed.headers, ...(chance === 0 ? more : [])];
      return { path, headers, bytes: Buffer.concat(copies) };
    });
}

function frame(flag: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
