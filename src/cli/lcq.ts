#!/usr/bin/env node
/** The `lcq` command: picks the subcommand and reports its errors. Only the chosen one is loaded. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { LcqError } from '../errors.js';

/** One file of this folder a subcommand: it exports `command`. */
const COMMANDS = {
  serve: 'Serve a model repository over gRPC and REST',
  health: 'Ask the server on this machine whether it is ready',
  train: 'Train a network, in fp32 or with LCQ',
  quantize: 'Quantize a pretrained classifier or detector with unlabelled images',
  evaluate: 'Measure the accuracy of models on labelled images: classes or boxes',
  bench: 'Time models and their nodes, against fp32 and int8',
  inspect: 'Print the layers, bits, bytes and levels of an LCQ model file',
  report: 'Write a page on a model: curves, levels, noise and wrong answers, against fp32',
  setup: 'Build the native add-on for this machine',
} as const satisfies Record<string, string>;

function version(): string {
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return JSON.parse(manifest).version;
}

/** @param chosen the subcommand to load; the others are listed by their summaries. */
async function buildProgram(chosen: string | undefined): Promise<Command> {
  const program = new Command('lcq')
    .description('Serves vision models quantized with Learnable Companding Quantization, on CPUs.')
    .version(version())
    .showHelpAfterError('(lcq --help lists the commands and options)');
  for (const [name, summary] of Object.entries(COMMANDS)) {
    const command: Command =
      name === chosen ? (await import(`./${name}.js`)).command : new Command(name);
    program.addCommand(command.name(name).summary(summary));
  }
  return program;
}

function report(thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  // Names in a message may come from a file: control characters must not reach the terminal.
  const message = error.message.replace(/\p{Cc}+/gu, ' ');
  if (process.env.LCQ_DEBUG) console.error(error);
  else if (error instanceof LcqError) console.error(`lcq: ${error.code}: ${message}`);
  else console.error(`lcq: ${message} (unexpected; LCQ_DEBUG=1 shows where it comes from)`);
}

// A reader that goes away, as in `lcq inspect model.onnx | head`, ends the command without noise.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const [first, second] = process.argv.slice(2);
try {
  const program = await buildProgram(first === 'help' ? second : first);
  await program.parseAsync();
} catch (error) {
  report(error);
  process.exit(1);
}
