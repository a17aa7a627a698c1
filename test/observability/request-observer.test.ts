import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '../../src/observability/logger.js';
import { RequestObserver } from '../../src/observability/request-observer.js';

/** The id and the log lines of one request that brings this id. */
function observe(given: string | undefined, accessLog = true) {
  const lines: Record<string, unknown>[] = [];
  const log = { info: (line: Record<string, unknown>) => lines.push(line) } as unknown as Logger;
  const observer = new RequestObserver({ log, accessLog, exporter: undefined });
  const { id, finish } = observer.start('rest', (name) =>
    name === 'x-request-id' ? given : undefined,
  );
  finish('POST /v1/models/:model', 'OK');
  return { id, lines };
}

test("a caller's request id is kept, in the reply and in the log", () => {
  const { id, lines } = observe('order-17/a');
  assert.equal(id, 'order-17/a');
  const [{ milliseconds, ...line }] = lines;
  assert.equal(typeof milliseconds, 'number');
  assert.deepEqual(line, {
    requestId: 'order-17/a',
    protocol: 'rest',
    target: 'POST /v1/models/:model',
    code: 'OK',
  });
});

test('an id that is missing, too long or no plain text is replaced', () => {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  for (const given of [undefined, '', 'x'.repeat(129), 'a b', 'a\nb', '"quoted"', 'é']) {
    assert.match(observe(given).id, uuid);
  }
});

test('without the access log nothing is written', () => {
  assert.deepEqual(observe('x', false).lines, []);
});
