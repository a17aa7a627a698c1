import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { outputTensor } from '../../src/client/output-tensor.js';
import type { ServerConfig } from '../../src/config/schema.js';
import {
  type ClientOptions,
  GrpcClient,
  type LcqClient,
  LcqError,
  RestClient,
} from '../../src/exports/client.js';
import { blockPicture, withDetectionServer } from '../end-to-end/block-detector.js';
import { type ServerUnderTest, solidImage, withServer } from '../end-to-end/server-under-test.js';
import { colourLogits, colourSession } from '../serving/colour-model.js';

const run = promisify(execFile);
const certificates = fileURLToPath(
  new URL('../../../test/security/certificates/', import.meta.url),
);
const KEY = 'key-of-the-camera';
const TRANSPORTS = ['REST', 'gRPC'] as const;

type Transport = (typeof TRANSPORTS)[number];

function connect(transport: Transport, ports: ServerUnderTest['ports'], options?: ClientOptions) {
  return transport === 'REST'
    ? new RestClient(`http://127.0.0.1:${ports.http}/`, options)
    : new GrpcClient(`127.0.0.1:${ports.grpc}`, options);
}

function withClient(
  transport: Transport,
  use: (client: LcqClient, server: ServerUnderTest) => Promise<void>,
  settings: Partial<ServerConfig> = {},
  {
    session = colourSession(),
    ...options
  }: ClientOptions & { session?: ReturnType<typeof colourSession> } = {},
) {
  return withServer(
    async (server) => {
      const client = connect(transport, server.ports, options);
      try {
        await use(client, server);
      } finally {
        client.close();
      }
    },
    settings,
    session,
  );
}

async function withKeys(use: (settings: Partial<ServerConfig>, folder: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'lcq-client-'));
  try {
    const apiKeys = join(folder, 'keys.json');
    await writeFile(apiKeys, JSON.stringify({ keys: [{ name: 'camera', key: KEY }] }));
    await use({ apiKeys }, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const transport of TRANSPORTS) {
  describe(`the client over ${transport}`, () => {
    test('classifies, infers and reads metadata', () =>
      withClient(transport, async (client) => {
        const image = await solidImage([0, 255, 0]);
        const reply = await client.classify({ model: 'colours', image, topK: 2 });
        assert.deepEqual([reply.model, reply.version], ['colours', '3']);
        assert.deepEqual(reply.predictions.map(({ index }) => index).slice(0, 1), [1]);
        assert.equal(reply.predictions.length, 2);
        assert.equal(reply.predictions[0].label, 'green');

        const data = Uint8Array.from({ length: 192 }, (_, i) => i);
        const inputs = { image: { datatype: 'UINT8', shape: [1, 8, 8, 3], data } } as const;
        const request = { model: 'colours', version: '3', inputs };
        for (const outputs of [undefined, ['logits']]) {
          const inferred = await client.infer({ ...request, ...(outputs && { outputs }) });
          assert.deepEqual(inferred, {
            model: 'colours',
            version: '3',
            outputs: {
              logits: {
                datatype: 'FP32',
                shape: [1, 3],
                data: Float32Array.from(colourLogits(data)),
              },
            },
          });
        }
        assert.deepEqual(await client.modelMetadata({ model: 'colours' }), {
          name: 'colours',
          versions: ['3'],
          platform: 'onnxruntime_onnx',
          inputs: [{ name: 'image', datatype: 'UINT8', shape: [-1, 8, 8, 3] }],
          outputs: [{ name: 'logits', datatype: 'FP32', shape: [-1, 3] }],
        });
        assert.equal(await client.ready(), true);
        assert.equal(await client.ready({ model: 'colours', version: '3' }), true);
      }));

    test('detects', () =>
      withDetectionServer(async ({ ports }) => {
        const client = connect(transport, ports);
        const block = { colour: '#f00', at: [1, 1] } as const;
        const image = await blockPicture(64, 64, [block]).png().toBuffer();
        const reply = await client.detect({ model: 'blocks', version: '1', image });
        assert.deepEqual(reply.image, { width: 64, height: 64 });
        assert.deepEqual(
          reply.detections.map(({ label }) => label),
          ['red'],
        );
        assert.ok(reply.detections[0].box.width > 0);
        const none = { model: 'blocks', image, scoreThreshold: 1, maxDetections: 3 };
        assert.deepEqual((await client.detect(none)).detections, []);
        const wrong = client.detect({ model: 'blocks', image, iouThreshold: 2 });
        await assert.rejects(wrong, { code: 'INVALID_ARGUMENT', message: /IoU threshold/ });
        client.close();
      }));

    test('rejects with the code and the message of the server', () =>
      withClient(transport, async (client) => {
        const image = Buffer.from('no picture');
        await assert.rejects(client.classify({ model: 'colours', image }), (error) => {
          assert.ok(error instanceof LcqError);
          assert.equal(error.code, 'INVALID_ARGUMENT');
          assert.match(error.message, /not a JPEG, PNG or WebP/);
          return true;
        });
        await assert.rejects(client.ready({ model: 'none' }), { code: 'NOT_FOUND' });
        await assert.rejects(client.modelMetadata({ model: 'none' }), {
          code: 'NOT_FOUND',
          message: "Request for unknown model: 'none' is not found",
        });
      }));

    test('cancels and keeps to its deadline', async () => {
      let release = () => {};
      let beforeRun = async () => {};
      const session = colourSession(() => beforeRun());
      await withClient(
        transport,
        async (client) => {
          const gate = new Promise<void>((resolve) => {
            release = resolve;
          });
          beforeRun = () => gate;
          const request = { model: 'colours', image: await solidImage([0, 255, 0]) };
          const late = client.classify(request, { timeoutMs: 50 });
          await assert.rejects(late, { code: 'DEADLINE_EXCEEDED' });
          const controller = new AbortController();
          const cancelled = client.classify(request, { signal: controller.signal });
          controller.abort();
          await assert.rejects(cancelled, { code: 'CANCELLED' });
          release();
        },
        {},
        { session },
      );
    });

    test('sends its key', () =>
      withKeys((settings) =>
        withServer(async ({ ports }) => {
          const stranger = connect(transport, ports);
          await assert.rejects(stranger.modelMetadata({ model: 'colours' }), {
            code: 'UNAUTHENTICATED',
          });
          assert.equal(await stranger.ready(), true);
          const client = connect(transport, ports, { apiKey: KEY });
          assert.equal((await client.modelMetadata({ model: 'colours' })).name, 'colours');
          stranger.close();
          client.close();
        }, settings),
      ));

    test('tells a server out of reach from one that is not ready', async () => {
      const ports = { http: 1, grpc: 1, metrics: 1 };
      const client = connect(transport, ports, { retries: 1 });
      await assert.rejects(client.ready(), { code: 'UNAVAILABLE' });
      client.close();
    });
  });
}

/** A REST port that answers with what `next` gives. */
async function withAnswers(
  next: () => readonly [status: number, body: string, headers?: Readonly<Record<string, string>>],
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const [status, body, headers] = next();
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

test('only the server itself says that it is not ready: a proxy does not', async () => {
  let body = JSON.stringify({ error: 'draining', code: 'UNAVAILABLE' });
  await withAnswers(
    () => [503, body],
    async (url) => {
      const client = new RestClient(url);
      assert.equal(await client.ready(), false);
      body = 'no upstream';
      await assert.rejects(client.ready(), { code: 'UNAVAILABLE' });
    },
  );
});

test('what is no reply, or not a whole one, rejects with INTERNAL', async () => {
  const output = { name: 'logits', datatype: 'FP32', shape: [1, 3] };
  const json = JSON.stringify({
    model_name: 'm',
    model_version: '1',
    outputs: [{ ...output, parameters: { binary_data_size: 12 } }],
  });
  const headers = { 'inference-header-content-length': String(json.length) };
  let body = '<html>';
  await withAnswers(
    () => [200, body, headers],
    async (url) => {
      const client = new RestClient(url);
      await assert.rejects(client.modelMetadata({ model: 'm' }), LcqError);
      const request = { model: 'm', inputs: {} };
      for (const sent of ['<html>', json, `${json}${'x'.repeat(8)}`]) {
        body = sent;
        await assert.rejects(client.infer(request), (error) => {
          assert.ok(error instanceof LcqError, `${error}`);
          return error.code === 'INTERNAL';
        });
      }
      body = json + 'x'.repeat(12);
      assert.equal((await client.infer(request)).outputs.logits.data.length, 3);
    },
  );
  // As both clients decode it; over gRPC it may be missing.
  for (const bytes of [undefined, new Uint8Array(13), new Uint8Array(8)]) {
    assert.throws(() => outputTensor(output, bytes), { code: 'INTERNAL' });
  }
});

test('a request is sent again only if asked, and only after answers that invite it', async () => {
  const answers: [number, string, Record<string, string>?][] = [];
  let asked = 0;
  const next = () => {
    const [status, code, headers = {}] = answers[asked++] ?? [200, 'OK'];
    const body = status === 200 ? { name: 'm' } : { error: 'no', code };
    return [status, JSON.stringify(body), headers] as const;
  };
  await withAnswers(next, async (url) => {
    /** How often the server was asked, and what came of it. */
    const ask = async (retries: number, ...script: typeof answers) => {
      answers.splice(0, answers.length, ...script);
      asked = 0;
      const outcome = new RestClient(url, { retries }).modelMetadata({ model: 'm' });
      const code = await outcome.then(
        () => 'OK',
        (error: LcqError) => error.code,
      );
      return [asked, code];
    };
    const down: (typeof answers)[number] = [503, 'UNAVAILABLE'];
    const full: (typeof answers)[number] = [429, 'RESOURCE_EXHAUSTED'];
    const limited: (typeof answers)[number] = [...full, { 'retry-after': '0' }] as never;
    assert.deepEqual(await ask(0, down), [1, 'UNAVAILABLE']);
    assert.deepEqual(await ask(1, down), [2, 'OK']);
    assert.deepEqual(await ask(1, down, down, down), [2, 'UNAVAILABLE']);
    assert.deepEqual(await ask(2, full), [1, 'RESOURCE_EXHAUSTED']);
    assert.deepEqual(await ask(2, limited, down), [3, 'OK']);
    assert.deepEqual(await ask(2, [504, 'DEADLINE_EXCEEDED']), [1, 'DEADLINE_EXCEEDED']);
    assert.deepEqual(await ask(2, [500, 'INTERNAL']), [1, 'INTERNAL']);
    // A proxy's own answer.
    assert.deepEqual(await ask(1, [502, 'none of ours']), [2, 'OK']);
  });
});

test('the example asks over both transports, with TLS and a key', () =>
  withKeys((keys, folder) => {
    const tls = {
      tlsCert: join(certificates, 'server.crt'),
      tlsKey: join(certificates, 'server.key'),
    };
    const example = fileURLToPath(
      new URL('../../examples/typescript/classify.js', import.meta.url),
    );
    const authority = join(certificates, 'authority.crt');
    return withServer(
      async ({ ports }) => {
        const picture = join(folder, 'green.png');
        await writeFile(picture, await solidImage([0, 255, 0]));
        const ca = await readFile(authority);
        const client = new GrpcClient(`127.0.0.1:${ports.grpc}`, { apiKey: KEY, tls: { ca } });
        assert.equal(await client.ready({ model: 'colours' }), true);
        client.close();
        const urls = [`https://127.0.0.1:${ports.http}`, `https://127.0.0.1:${ports.grpc}`];
        const args = [example, picture, 'colours', ...urls];
        const env = {
          ...process.env,
          LCQ_API_KEY: KEY,
          // For fetch, and for gRPC.
          NODE_EXTRA_CA_CERTS: authority,
          GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: authority,
        };
        const { stdout } = await run(process.execPath, args, { env });
        assert.equal(stdout, 'REST: green 1.00\ngRPC: green 1.00\n');
      },
      { ...keys, ...tls },
    );
  }));
