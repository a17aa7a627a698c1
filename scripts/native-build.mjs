/** A build of the native add-on beside the usual one, with the tests that reach it. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { root } from './setup/command.mjs';

export class NativeBuild {
  /** A package of its own: its dist/ finds the build/lcq.node beside itself. */
  constructor(name) {
    this.name = name;
    this.tree = join(root, 'build', name);
    mkdirSync(this.tree, { recursive: true });
    rmSync(join(this.tree, 'dist'), { recursive: true, force: true });
    cpSync(join(root, 'dist'), join(this.tree, 'dist'), { recursive: true });
    for (const entry of ['models', 'node_modules', 'package.json', 'proto']) {
      rmSync(join(this.tree, entry), { force: true });
      symlinkSync(join(root, entry), join(this.tree, entry));
    }
  }

  /** Ends this process with the command's status if that is not 0. */
  run(command, args, options) {
    const { status, error } = spawnSync(command, args, {
      cwd: this.tree,
      stdio: 'inherit',
      ...options,
    });
    if (error !== undefined) console.error(`${this.name}: ${command}: ${error.message}`);
    if (status !== 0) process.exit(status ?? 1);
  }

  compile(flags) {
    const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
    this.run('cmake', ['-S', root, '-B', 'build', ...flags], quiet);
    this.run('cmake', ['--build', 'build', '--parallel', `${os.availableParallelism()}`], quiet);
  }

  /** Compiled test files whose path, with slashes, matches. */
  tests(pattern) {
    return readdirSync(join(this.tree, 'dist'), { recursive: true })
      .filter((path) => pattern.test(path))
      .map((path) => join('dist', path));
  }
}
