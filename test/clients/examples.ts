import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ClientCheck, expect, run } from './check.js';
import { programs } from './go.js';
import { installPackages, PILLOW, python, TRITONCLIENT } from './python.js';

const folder = fileURLToPath(new URL('../../../examples/', import.meta.url));
const example = (path: string) => join(folder, path);
const goClassify = join(programs, 'classify');

/** The programs of examples/ that are not in TypeScript: those are in `npm test`. */
export const EXAMPLE_CHECKS: readonly ClientCheck[] = [
  {
    name: 'examples/curl/ask.sh',
    install: () => spawnSync('curl', ['--version']).status === 0,
    async run({ http, metrics }, image) {
      const urls = [`http://127.0.0.1:${http}`, `http://127.0.0.1:${metrics}`];
      const [ready, prediction, tensor, ...counters] = (
        await run(example('curl/ask.sh'), [image, 'colours', ...urls])
      ).split('\n');
      expect(ready, '{"ready":true}');
      expect(prediction, '"label":"green"');
      // 128 / 16, thrice: the model's answer to grey.
      expect(tensor, '"name":"logits","datatype":"FP32","shape":[1,3],"data":[8,8,8]');
      expect(counters.join('\n'), 'operation="classify"', 'operation="infer"');
    },
  },
  {
    name: 'examples/python/classify.py',
    install: () => spawnSync('python3', ['--version']).status === 0,
    async run({ http }, image) {
      const args = [example('python/classify.py'), image, 'colours', `http://127.0.0.1:${http}`];
      expect(await run('python3', args), 'green 1.00');
    },
  },
  {
    name: 'examples/python/infer.py',
    install: () => installPackages(TRITONCLIENT, PILLOW),
    async run({ http, grpc }, image) {
      const addresses = [`127.0.0.1:${http}`, `127.0.0.1:${grpc}`];
      const args = [example('python/infer.py'), image, 'colours', ...addresses];
      const line = 'logits 1 is highest, 15.94';
      expect(await run(python, args), `HTTP: ${line}`, `gRPC: ${line}`);
    },
  },
  {
    name: 'examples/go',
    install: () =>
      spawnSync('go', ['build', '-o', goClassify], { cwd: example('go'), stdio: 'ignore' })
        .status === 0,
    async run({ grpc }, image) {
      const reply = await run(goClassify, [image, 'colours', `127.0.0.1:${grpc}`]);
      expect(reply, 'health: SERVING', '"green"');
    },
  },
];
