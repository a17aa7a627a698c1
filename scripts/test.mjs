/**
 * Sets up what is missing, then runs the compiled tests with node's test runner (Node 20 knows no globs).
 *   node scripts/test.mjs [WORDS] [NODE OPTIONS]
 * Words pick the files whose path contains any of them; what starts with '-' goes to node.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup/command.mjs';
import { setUp } from './setup/steps.mjs';

await setUp();

const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));

const files = readdirSync(join(root, 'dist/test'), { recursive: true })
  .filter((path) => path.endsWith('.test.js'))
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  .map((path) => join('dist/test', path))
  .sort();
if (files.length === 0) {
  console.error(`test: no test file's path contains ${words.join(' or ')}`);
  process.exit(1);
}

const runner = ['--test', '--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec'];
const child = spawn(process.execPath, [...runner, ...options, ...files], {
  cwd: root,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code, signal) => {
  if (signal !== null) console.error(`test: node was stopped by ${signal}`);
  process.exitCode = code ?? 1;
});
