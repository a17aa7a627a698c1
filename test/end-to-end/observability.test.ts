import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { rest, solidImage, withServer } from './server-under-test.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

/** A collector of OTLP/HTTP, and what it was sent. */
async function withCollector(use: (endpoint: string) => Promise<void>) {
  // biome-ignore lint/suspicious/noExplicitAny: messages have no types here, the test says what it expects
  const messages: any[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    assert.equal(request.headers['content-type'], 'application/json');
    messages.push(JSON.parse(body));
    response.end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  await use(`http://127.0.0.1:${port}/v1/traces`);
  server.close();
  server.closeAllConnections();
  return messages;
}

test('requests of both transports are traced below the span of their caller', async () => {
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  const messages = await withCollector((otlpEndpoint) =>
    withServer(
      async ({ url, vision }) => {
        const image = await solidImage([255, 0, 0]);
        await rest(`${url}/v1/models/colours:classify`, image, { headers: { traceparent } });
        await rest(`${url}/v1/models/secret-name:classify`, image);
        await rest(`${url}/nowhere`);
        const unsampled = { traceparent: `00-${TRACE}-${SPAN}-00` };
        await rest(`${url}/v1/models/colours:classify`, image, { headers: unsampled });
        const metadata = new grpc.Metadata();
        metadata.set('traceparent', traceparent);
        await vision.call('Classify', { model: 'colours', image }, {}, metadata);
      },
      { otlpEndpoint },
    ),
  );
  const spans = messages.flatMap(({ resourceSpans: [{ scopeSpans }] }) => scopeSpans[0].spans);
  const [{ resource }] = messages[0].resourceSpans;
  assert.deepEqual(resource.attributes[0], {
    key: 'service.name',
    value: { stringValue: 'lcq-serving' },
  });
  assert.deepEqual(
    spans.map(({ name }) => name),
    [
      'POST /v1/models/:model(^[^:]+)::classify',
      'POST /v1/models/:model(^[^:]+)::classify',
      'GET (unknown)',
      '/lcq.v1.Vision/Classify',
    ],
  );
  const [below, root, nowhere, overGrpc] = spans;
  for (const span of [below, overGrpc]) {
    assert.deepEqual([span.traceId, span.parentSpanId, span.kind], [TRACE, SPAN, 2]);
    assert.deepEqual(span.status, {});
    assert.ok(BigInt(span.endTimeUnixNano) > BigInt(span.startTimeUnixNano));
  }
  assert.notEqual(root.traceId, TRACE);
  assert.equal(root.parentSpanId, undefined);
  for (const { status } of [root, nowhere]) {
    assert.deepEqual(status, { code: 2, message: 'NOT_FOUND' });
  }
});

test('a collector that is not there costs no request and no shutdown', () =>
  withServer(
    async ({ url, server }) => {
      assert.equal((await rest(`${url}/v2`)).status, 200);
      assert.equal(await server.close(), true);
    },
    { otlpEndpoint: 'http://127.0.0.1:9/v1/traces' },
  ));

test('the request id comes back on both transports, also of what is refused', () =>
  withServer(async ({ url, inference }) => {
    const headers = { 'x-request-id': 'order-17' };
    for (const path of ['/v2', '/nowhere']) {
      const reply = await rest(url + path, undefined, { headers });
      assert.equal(reply.headers.get('x-request-id'), 'order-17');
    }
    const metadata = new grpc.Metadata();
    metadata.set('x-request-id', 'order-18');
    const call = inference.start('ServerLive', {}, {}, () => {}, metadata);
    const [answered] = (await once(call, 'metadata')) as [grpc.Metadata];
    assert.deepEqual(answered.get('x-request-id'), ['order-18']);
  }));

test("Triton's metrics are there by their names, when asked for", async () => {
  const exposed = (tritonMetrics: boolean) =>
    withServer(
      async ({ url, metrics }) => {
        const image = await solidImage([255, 0, 0]);
        await rest(`${url}/v1/models/colours:classify`, image);
        await rest(`${url}/v1/models/colours:classify`, Buffer.from('junk'));
        return metrics();
      },
      { tritonMetrics },
    );
  const text = await exposed(true);
  const labels = 'model="colours",version="3"';
  for (const line of [
    `nv_inference_request_success{${labels}} 1`,
    `nv_inference_request_failure{${labels},reason="OTHER"} 1`,
    `nv_inference_count{${labels}} 1`,
    `nv_inference_exec_count{${labels}} 1`,
    `nv_inference_pending_request_count{${labels}} 0`,
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
  for (const part of ['request', 'queue', 'compute_input', 'compute_infer', 'compute_output']) {
    const name = `nv_inference_${part}_duration_us`;
    assert.match(text, new RegExp(`^${name}\\{${labels}\\} \\d+$`, 'm'));
  }
  assert.doesNotMatch(await exposed(false), /nv_inference/);
});

test('a deadline header ends what waits too long; a malformed one is refused', () =>
  withServer(async ({ url }) => {
    const image = await solidImage([255, 0, 0]);
    const classify = async (timeout: string) => {
      const headers = { 'x-request-timeout-ms': timeout };
      const { status } = await rest(`${url}/v1/models/colours:classify`, image, { headers });
      return status;
    };
    assert.equal(await classify('60000'), 200);
    for (const timeout of ['0', '-1', 'soon', '1.5']) assert.equal(await classify(timeout), 400);
  }));
