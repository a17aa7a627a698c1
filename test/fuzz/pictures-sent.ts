import fc, { type Arbitrary } from 'fast-check';
import {
  INFERENCE_SERVICE,
  serviceDefinition,
  VISION_SERVICE,
} from '../../src/transport/grpc/definitions.js';
import type { FuzzTargets, Shot } from './campaign.js';

/** Every way that a picture can come in. */
export function picturesSent(
  { classifiers, detector }: FuzzTargets,
  pictures: Arbitrary<Buffer>,
): Arbitrary<Shot> {
  const ways: ((picture: Buffer) => Shot)[] = [
    ...classifiers.map(
      (model) => (picture: Buffer) => post(`/v1/models/${model}:classify`, picture),
    ),
    (picture) => post(`/v1/models/${detector}:detect`, picture),
    (picture) => post(`/v1/models/${detector}:detect?render=1&scoreThreshold=0`, picture),
    (image) => call(VISION_SERVICE, 'Classify', { model: classifiers[0], image }),
    (image) => call(VISION_SERVICE, 'Detect', { model: detector, image }),
    (picture) =>
      call(INFERENCE_SERVICE, 'ModelInfer', {
        model_name: classifiers[0],
        inputs: [
          {
            name: 'image',
            datatype: 'BYTES',
            shape: [2],
            contents: { bytes_contents: [picture, picture] },
          },
        ],
      }),
  ];
  return fc.tuple(pictures, fc.constantFrom(...ways)).map(([picture, way]) => way(picture));
}

function post(target: string, body: Buffer): Shot {
  const head = `POST ${target} HTTP/1.1\r\nhost: fuzz\r\ncontent-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), body]);
  return { kind: 'rest', request: { bytes, isComplete: true, isHead: false } };
}

function call(
  service: typeof INFERENCE_SERVICE | typeof VISION_SERVICE,
  method: string,
  request: object,
): Shot {
  const { path, requestSerialize } = serviceDefinition(service)[method];
  const message = requestSerialize(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return { kind: 'grpc', call: { path, headers: [], bytes: Buffer.concat([head, message]) } };
}
