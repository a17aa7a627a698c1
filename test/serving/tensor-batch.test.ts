import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TensorDataType } from '../../src/runtime/session.js';
import { mergeRequests, rowCount, splitReplies } from '../../src/serving/tensor-batch.js';
import { allocate } from '../../src/serving/tensor-bytes.js';

function tensor(datatype: TensorDataType, shape: number[], first = 0) {
  const length = shape.reduce((product, size) => product * size, 1);
  const data = allocate(datatype, length);
  const is64Bit = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < length; i++) data[i] = is64Bit ? BigInt(first + i) : (first + i) % 256;
  return { datatype, shape, data };
}

test('property: splitting what was merged gives each request its own rows', () => {
  const datatype = fc.constantFrom<TensorDataType>('UINT8', 'FP32', 'INT64', 'FP16');
  const rows = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(datatype, rows, fc.nat(3), (type, counts, width) => {
      const requests = counts.map((count, i) => ({
        x: tensor(type, [count, width + 1], i * 40),
        y: tensor('UINT8', [count], i * 7),
      }));
      const merged = mergeRequests(requests);
      assert.equal(
        rowCount(merged),
        counts.reduce((sum, count) => sum + count, 0),
      );
      assert.deepEqual(splitReplies(merged, counts), requests);
    }),
    { seed: 20253, numRuns: 100 },
  );
});

test('an output without a row for each row of the batch is a defect', () => {
  assert.throws(() => splitReplies({ y: tensor('FP32', [2, 3]) }, [1, 2]), { code: 'INTERNAL' });
});
