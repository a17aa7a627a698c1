/**
 * Bundles the command for the container: the hundreds of modules that a start reads become a few, which saves a fifth of
 * its time. `node scripts/bundle.mjs` makes dist/bundle/lcq.js of dist/src/cli/lcq.js.
 *
 * Every module still knows where it came from: what it finds beside itself (protocols, models, the worker, the page) it
 * finds there.
 */
import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { build } from 'esbuild';
import { root } from './setup/command.mjs';

/** Native, asked for by hardly any process, or not in the image (echarts). */
const APART = ['sharp', 'onnxruntime-node', '@fastify/swagger', '@fastify/swagger-ui', 'echarts'];

/** Of every file of the bundle: CommonJS modules ask for Node's own by `require`. */
const BANNER = `
import { createRequire as bundledCreateRequire } from 'node:module';
import { fileURLToPath as bundledPath } from 'node:url';
const require = bundledCreateRequire(import.meta.url);
const bundledFrom = (path) => new URL('../../' + path, import.meta.url);
`;

const places = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.[cm]?js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const place = (of) => `bundledFrom(${JSON.stringify(relative(root, of))})`;
      const contents = source
        .replaceAll('import.meta.url', `${place(path)}.href`)
        .replaceAll(/\b__dirname\b/g, `bundledPath(${place(dirname(path))})`);
      return { contents, loader: 'js' };
    });
  },
};

await build({
  absWorkingDir: root,
  entryPoints: ['dist/src/cli/lcq.js'],
  outdir: 'dist/bundle',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: APART,
  banner: { js: BANNER },
  plugins: [places],
  logLevel: 'warning',
});
