import { access, appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LcqError } from '../errors.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.js';

/** One line of log.jsonl. Accuracies and precisions are shares, 0 to 1. */
export interface EpochFigures {
  readonly epoch: number;
  readonly loss: number;
  /** Of classifiers. */
  readonly trainAccuracy: number | undefined;
  /** On files that are not trained on, of classifiers and detectors; absent for epochs without an evaluation. */
  readonly testAccuracy?: number | undefined;
  readonly valAp50?: number | undefined;
  /** Since the command was started or resumed. */
  readonly seconds: number;
}

/** What a training run leaves on disk: `last.onnx`, its newest checkpoint, and `log.jsonl`, the figures of its epochs. */
export class RunFolder {
  readonly checkpointPath: string;
  private readonly logPath: string;

  private constructor(folder: string) {
    this.checkpointPath = join(folder, 'last.onnx');
    this.logPath = join(folder, 'log.jsonl');
  }

  /** A folder for a new run. Throws INVALID_ARGUMENT if there is a run in it: its checkpoint would be lost. */
  static async create(folder: string): Promise<RunFolder> {
    const run = new RunFolder(folder);
    await mkdir(folder, { recursive: true });
    const taken = await access(run.checkpointPath).then(
      () => true,
      () => false,
    );
    if (!taken) return run;
    throw new LcqError(
      'INVALID_ARGUMENT',
      `'${folder}' holds a run already: go on with --resume, or choose another folder`,
    );
  }

  /** The folder of a run that was stopped, and where it stopped. Throws NOT_FOUND without one. */
  static async open(folder: string): Promise<{ run: RunFolder; checkpoint: Checkpoint }> {
    const run = new RunFolder(folder);
    return { run, checkpoint: await readCheckpoint(run.checkpointPath) };
  }

  save(checkpoint: Checkpoint): Promise<void> {
    return writeCheckpoint(this.checkpointPath, checkpoint);
  }

  log(figures: EpochFigures): Promise<void> {
    return appendFile(this.logPath, `${JSON.stringify(figures)}\n`);
  }
}
