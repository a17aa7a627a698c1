import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Imports that cross the arrows: the file, and what it may not import. */
const FORBIDDEN = [
  // Online code never imports offline code,
  ['src/main.ts', './training/trainer.js'],
  ['src/runtime/worker.ts', '../onnx/graph.js'],
  ['src/image/decode.ts', '../training/image-folder.js'],
  ['src/batching/batcher.ts', '../quantization/export.js'],
  ['src/repository/repository.ts', '../evaluation/accuracy.js'],
  ['src/vision/top-k.ts', '../onnx/graph.js'],
  ['src/serving/pipeline.ts', '../training/trainer.js'],
  ['src/transport/rest/routes.ts', '../../onnx/serde.js'],
  ['src/observability/logger.ts', '../quantization/report.js'],
  ['src/config/schema.ts', '../onnx/graph.js'],
  // nor the other way round.
  ['src/onnx/builder.ts', '../runtime/session.js'],
  ['src/onnx/passes/fold.ts', '../../serving/pipeline.js'],
  ['src/quantization/export.ts', '../runtime/session.js'],
  ['src/training/trainer.ts', '../batching/batcher.js'],
  ['src/training/gradients/linear.ts', '../../runtime/session.js'],
  ['src/evaluation/accuracy.ts', '../serving/pipeline.js'],
  ['src/report/page.ts', '../serving/service.js'],
  ['src/report/page.ts', 'node:fs'],
  // Offline code is in layers: onnx, training, quantization.
  ['src/onnx/builder.ts', '../training/autodiff.js'],
  ['src/training/trainer.ts', '../quantization/insert.js'],
  // The method and the batcher stand alone.
  ['src/errors.ts', 'node:fs'],
  ['src/lcq/compander.ts', '../onnx/graph.js'],
  ['src/lcq/compander.ts', 'node:fs'],
  ['src/batching/batcher.ts', '../runtime/session.js'],
  ['src/batching/batcher.ts', 'node:timers'],
  // Transports translate only, and nothing but the composition root knows them.
  ['src/transport/grpc/service.ts', '../../runtime/lcq-session.js'],
  ['src/transport/public-error.ts', 'fastify'],
  ['src/workers/pool.ts', '../observability/logger.js'],
  ['src/security/api-keys.ts', '../transport/rest/routes.js'],
  ['src/transport/rest/routes.ts', '../../image/decode.js'],
  ['src/transport/rest/routes.ts', '../grpc/service.js'],
  ['src/transport/rest/playground/page/app.ts', '../playground.js'],
  ['src/transport/rest/playground/page/app.ts', 'node:fs'],
  ['src/serving/pipeline.ts', '../transport/rest/routes.js'],
  // The client speaks to a server, it is none; what the package exports, it has from elsewhere.
  ['src/client/rest-client.ts', '../serving/service.js'],
  ['src/client/rest-client.ts', '../runtime/lcq-session.js'],
  ['src/client/rest-client.ts', 'fastify'],
  ['src/exports/session.ts', '../serving/service.js'],
  ['src/exports/session.ts', 'onnxruntime-node'],
  ['loadtest/generator.ts', '../src/client/client.js'],
  ['loadtest/k6/pictures.ts', '../random.js'],
  ['loadtest/k6/pictures.ts', 'node:fs'],
  // Each package lives in one place.
  ['src/onnx/builder.ts', 'protobufjs'],
  ['src/transport/grpc/service.ts', 'protobufjs/light.js'],
  ['src/serving/pipeline.ts', '@grpc/grpc-js'],
  ['src/transport/rest/routes.ts', '@grpc/grpc-js'],
  ['src/transport/grpc/service.ts', 'fastify'],
  ['src/vision/top-k.ts', 'onnxruntime-node'],
  ['src/evaluation/accuracy.ts', 'onnxruntime-common'],
  ['src/vision/top-k.ts', 'sharp'],
  ['src/main.ts', 'pino'],
  // A folder that the table does not know imports nothing.
  ['src/helpers/strings.ts', '../errors.js'],
  // A detour through the own folder is no way out.
  ['src/runtime/worker.ts', './../onnx/graph.js'],
] as const;

const ALLOWED = [
  ['src/main.ts', './serving/pipeline.js'],
  ['src/main.ts', './transport/grpc/service.js'],
  ['src/lcq/compander.ts', '../errors.js'],
  ['src/runtime/lcq-session.ts', 'onnxruntime-node'],
  ['src/runtime/kernels/reference.ts', '../../lcq/levels.js'],
  ['src/onnx/serde.ts', 'protobufjs'],
  ['src/training/gradients/linear.ts', '../trainer.js'],
  ['src/training/gradients/linear.ts', '../../onnx/graph.js'],
  ['src/evaluation/accuracy.ts', '../runtime/session.js'],
  ['src/transport/grpc/service.ts', '@grpc/grpc-js'],
  ['src/transport/rest/routes.ts', 'fastify'],
  ['src/transport/rest/routes.ts', '../../serving/pipeline.js'],
  ['src/transport/rest/routes.ts', '../../runtime/session.js'],
  ['src/transport/rest/routes.ts', '../public-error.js'],
  ['src/transport/rest/routes.ts', '../../security/api-keys.js'],
  ['src/workers/pool.ts', '../runtime/lcq-session.js'],
  ['src/main.ts', './workers/pool.js'],
  ['src/image/decode.ts', 'sharp'],
  ['src/cli/train.ts', '../training/trainer.js'],
  ['src/cli/serve.ts', '../main.js'],
  ['src/client/grpc-client.ts', '@grpc/grpc-js'],
  ['src/client/rest-client.ts', '../serving/tensor-bytes.js'],
  ['src/exports/client.ts', '../client/client.js'],
  ['loadtest/k6/pictures.ts', 'k6/http'],
] as const;

/** Every way to name a module: none may slip through. */
const STATEMENTS: ((specifier: string) => string)[] = [
  (specifier) => `import { a } from '${specifier}';`,
  (specifier) => `import type { A } from '${specifier}';`,
  (specifier) => `export { a } from '${specifier}';`,
  (specifier) => `await import('${specifier}');`,
];

interface Report {
  readonly diagnostics: readonly { location: { path: string; start: { line: number } } }[];
}

function lintImports(directory: string): Set<string> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const options = ['--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none'];
  const { stdout } = spawnSync(process.execPath, [biome, 'lint', ...options, '.'], {
    cwd: directory,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(stdout) as Report;
  return new Set(diagnostics.map(({ location: { path, start } }) => `${path}:${start.line}`));
}

describe('the import arrows', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'lcq import rules '));
    for (const file of ['biome.json', '.gitignore']) {
      copyFileSync(join(root, file), join(directory, file));
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  /** Writes the statements of each file, one a line, and returns `path:line` for each of the imports. */
  function plant(imports: readonly (readonly [string, string])[]): string[] {
    const lines = new Map<string, string[]>();
    const places = imports.flatMap(([path, specifier]) =>
      STATEMENTS.map((statement) => {
        const written = lines.get(path) ?? [];
        lines.set(path, written);
        return `${path}:${written.push(statement(specifier))}`;
      }),
    );
    for (const folder of ['src', 'loadtest']) {
      rmSync(join(directory, folder), { recursive: true, force: true });
    }
    for (const [path, written] of lines) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), `${written.join('\n')}\n`);
    }
    return places;
  }

  test('every planted violation is reported, however it is written', () => {
    const places = plant(FORBIDDEN);
    assert.deepEqual([...lintImports(directory)].sort(), places.sort());
  });

  test('imports along the arrows are not reported', () => {
    plant(ALLOWED);
    assert.deepEqual([...lintImports(directory)], []);
  });

  test('the source tree keeps to the arrows', () => {
    assert.deepEqual([...lintImports(root)], []);
  });
});
