import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Campaign } from './campaign.js';
import { judge } from './report.js';
import { ServerProcess } from './server-process.js';
import { grpcVerdict, restVerdict } from './verdict.js';

test('a slice of `npm run fuzz` finds nothing', async () => {
  const server = await ServerProcess.start();
  try {
    const options = { seed: 7, requests: 400, images: 60, concurrency: 8, onProgress: () => {} };
    const result = await new Campaign(server, options).run();
    assert.deepEqual(await judge(server, result), []);
    const answered = ['rest 200', 'rest 400', 'grpc OK', 'grpc INVALID_ARGUMENT', 'probe'];
    for (const label of answered) assert.ok(result.outcomes.has(label), label);
  } finally {
    await server.stop();
  }
});

test('what is not allowed is a defect', () => {
  const reply = (status: number, type: string, body: string) => ({
    status,
    headers: new Map([['content-type', type]]),
    body: Buffer.from(body),
  });
  const json = 'application/json';
  const bad = [
    reply(500, json, '{"error":"internal error","code":"INTERNAL"}'),
    reply(400, json, '{"error":"no","code":"NOT_FOUND"}'),
    reply(400, json, '{"error":"no"}'),
    reply(400, json, '{"code":"INVALID_ARGUMENT"}'),
    reply(404, 'text/html', '<html>'),
    reply(417, json, ''),
    'hang',
    'closed',
  ] as const;
  for (const outcome of bad) assert.ok(restVerdict(outcome, true, false).defect);
  const good = reply(400, json, '{"error":"no","code":"INVALID_ARGUMENT"}');
  for (const outcome of [good, reply(200, json, '')]) {
    assert.equal(restVerdict(outcome, true, false).defect, undefined);
  }
  const grpc = (status: number | undefined) => ({
    ...{ httpStatus: 200, status, message: '' },
    body: Buffer.alloc(0),
  });
  for (const status of [2, 13, 15, undefined]) {
    assert.ok(grpcVerdict(grpc(status), true, false).defect, String(status));
  }
  for (const outcome of ['hang', 'closed'] as const) {
    assert.ok(grpcVerdict(outcome, true, true).defect, outcome);
  }
  for (const status of [0, 3, 14]) {
    assert.equal(grpcVerdict(grpc(status), true, false).defect, undefined);
  }
});
