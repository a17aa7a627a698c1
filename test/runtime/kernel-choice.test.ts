import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { createLcqSession, listKernels } from '../../src/runtime/lcq-session.js';
import { convModel } from './models.js';

const { bytes } = convModel({ weightBits: 2, depth: 4, channelsPerGroup: 16 });
const available = listKernels().filter((set) => set.available);

async function kernelOf(model: Uint8Array, kernels?: string): Promise<string> {
  const session = await createLcqSession(model, kernels === undefined ? {} : { kernels });
  await session.dispose();
  const [use] = session.kernels;
  assert.deepEqual([use.node, use.op], ['op', 'LcqConv']);
  return use.kernel;
}

describe('kernels', () => {
  test('are listed by instruction set, the scalar ones always there', () => {
    assert.equal(available[0].name, 'scalar');
    const names = available.map(({ name }) => name).join('|');
    for (const { name, kernels } of available) {
      assert.ok(kernels.some((kernel) => kernel.endsWith(`_${name}`)));
      for (const kernel of kernels) assert.match(kernel, new RegExp(`_(${names})$`));
    }
  });

  for (const { name, kernels } of available) {
    test(`are forced by the name ${name}`, async () => {
      assert.ok(kernels.includes(await kernelOf(bytes, name)));
    });
  }

  test('are the best available ones by default', async () => {
    const best = process.env.LCQ_KERNELS || available[available.length - 1].name;
    assert.equal(await kernelOf(bytes), await kernelOf(bytes, best));
  });

  test('are forced by the variable LCQ_KERNELS', () => {
    const module = new URL('../../src/runtime/lcq-session.js', import.meta.url);
    const script = `
      const { createLcqSession } = await import(${JSON.stringify(module)});
      const session = await createLcqSession(Buffer.from(process.env.MODEL, 'base64'));
      console.log(session.kernels[0].kernel);`;
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, LCQ_KERNELS: 'scalar', MODEL: Buffer.from(bytes).toString('base64') },
      encoding: 'utf8',
    });
    assert.equal(output, 'conv_u8s8_1x1_scalar\n');
  });

  test('of an unknown name are refused, with the names to choose from', async () => {
    await assert.rejects(createLcqSession(bytes, { kernels: 'mmx' }), {
      code: 'UNSUPPORTED',
      message: /'mmx'.*scalar/,
    });
  });

  test('of their own are for depthwise convolutions', async () => {
    const depthwise = convModel({ weightBits: 2, group: 6, depth: 1, channelsPerGroup: 1 });
    for (const { name } of available.filter((set) => set.name !== 'scalar')) {
      assert.match(await kernelOf(depthwise.bytes, name), /^depthwise_/);
    }
  });

  test('leave groups of a few channels to the scalar kernel', async () => {
    const groups = convModel({ weightBits: 2, group: 6, depth: 1, channelsPerGroup: 2 });
    for (const { name } of available) {
      assert.equal(await kernelOf(groups.bytes, name), 'conv_u8s8_1x1_scalar');
    }
  });
});
