import { Command } from 'commander';
import { LcqError } from '../errors.js';

interface NativeBuild {
  requireTools(): void;
  build(): Promise<void>;
}

const script = new URL('../../../scripts/setup/native.mjs', import.meta.url);

export const command = new Command('setup')
  .description('build the native add-on from the sources in this package, for this machine')
  .addHelpText('after', '\nNeeds a C++17 compiler, CMake and make or ninja; downloads nothing.')
  .action(async () => {
    const { requireTools, build }: NativeBuild = await import(script.href);
    try {
      requireTools();
      await build();
    } catch (cause) {
      throw new LcqError('UNAVAILABLE', (cause as Error).message, { cause });
    }
    console.log('built: build/lcq.node');
  });
