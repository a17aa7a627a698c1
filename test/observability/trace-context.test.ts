import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childContext, parseTraceparent } from '../../src/observability/trace-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('the examples of the specification are read', () => {
  const parent = { traceId: TRACE, spanId: SPAN };
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-01`), { ...parent, sampled: true });
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-00`), { ...parent, sampled: false });
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-03-more`), { ...parent, sampled: true });
});

test('what the specification forbids is as good as nothing', () => {
  for (const header of [
    undefined,
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `cc-${TRACE}-${SPAN}-01more`,
  ]) {
    assert.equal(parseTraceparent(header), undefined, header);
  }
});

test('a child stays in its trace, a root begins one', () => {
  const parent = { traceId: TRACE, spanId: SPAN, sampled: false };
  const child = childContext(parent);
  assert.deepEqual({ ...child, spanId: SPAN }, parent);
  assert.match(child.spanId, /^[0-9a-f]{16}$/);
  assert.notEqual(child.spanId, SPAN);
  const [one, two] = [childContext(undefined), childContext(undefined)];
  assert.match(one.traceId, /^[0-9a-f]{32}$/);
  assert.notEqual(one.traceId, two.traceId);
  assert.equal(one.sampled, true);
});
