import { LcqError } from '../errors.js';
import type { Logger } from '../observability/logger.js';
import {
  type ClassificationConfig,
  type DetectionConfig,
  pictureShape,
} from '../repository/model-config.js';
import type { ModelDefinition } from '../repository/repository.js';
import type { ModelFile } from '../runtime/model-file.js';
import type { ModelSession, SessionSpecs, Trial } from '../runtime/session.js';
import { detectionDecoder } from '../vision/detector.js';
import { Servable, type ServableOptions } from './servable.js';
import { openInstances } from './session-pool.js';
import type { NamedTensors } from './tensor-batch.js';
import { allocate, elementCount } from './tensor-bytes.js';

/**
 * Opens the session of an ONNX file. It passes its trial, and does so again when it is opened again, as in a worker that
 * restarts. Rejects otherwise, and nothing is left open then.
 */
export type OpenSession = (file: ModelFile, trial: Trial) => Promise<ModelSession>;

/** Opens sessions that pass their trial once. */
export function tried(open: (file: ModelFile) => Promise<ModelSession>): OpenSession {
  return async (file, trial) => {
    const session = await open(file);
    try {
      trial.check(session);
      for (const feeds of trial.warmUp()) await session.run(feeds);
      return session;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  };
}

/**
 * Opens the session of a model, checked against the config and warmed up.
 *
 * Rejects with an LcqError that names the model; nothing is left open then.
 */
export async function loadServable(
  definition: ModelDefinition,
  openSession: OpenSession,
  options: ServableOptions & { readonly log: Logger },
): Promise<Servable> {
  const { name, version } = definition;
  const start = performance.now();
  const servable = await openServable(definition, openSession, options);
  const milliseconds = performance.now() - start;
  options.metrics.modelLoaded(servable.labels, milliseconds);
  options.log.info({ model: name, version, milliseconds }, 'model loaded');
  return servable;
}

async function openServable(
  definition: ModelDefinition,
  openSession: OpenSession,
  options: ServableOptions,
): Promise<Servable> {
  const { name, version } = definition;
  let session: ModelSession | undefined;
  try {
    const { modelPath: path, modelDigest: sha256, config } = definition;
    const check = (specs: SessionSpecs) => checkSession(definition, specs);
    const trial = { check, warmUp: () => warmUpRuns(config) };
    const open = () => openSession({ path, sha256 }, trial);
    session = await openInstances(open, config.instances);
    return new Servable(definition, session, options);
  } catch (thrown) {
    await session?.dispose();
    const { code, message } = LcqError.from(thrown);
    const text = `model '${name}' version ${version} cannot be loaded: ${message}`;
    throw new LcqError(code, text, { cause: thrown });
  }
}

/** One row, and a full batch. */
function warmUpRuns({ input, maxBatchSize }: ModelDefinition['config']): NamedTensors[] {
  // As checkSession has it.
  const datatype = input.normalization === undefined ? 'UINT8' : 'FP32';
  return [...new Set([1, maxBatchSize])].map((rows) => {
    const shape = [rows, ...pictureShape(input)];
    return { [input.name]: { datatype, shape, data: allocate(datatype, elementCount(shape)) } };
  });
}

/** Throws INVALID_ARGUMENT naming the field of config.json that the model file contradicts. */
export function checkSession({ config, labels }: ModelDefinition, session: SessionSpecs): void {
  checkInput(config.input, config.maxBatchSize, session);
  const classes =
    config.task === 'classification'
      ? checkClassification(config, session)
      : detectionClasses(config, session);
  if (config.labels !== undefined && classes !== -1 && labels.length !== classes) {
    throw contradiction('labels', `${labels.length} labels for ${classes} classes`);
  }
}

/** Returns the number of classes, -1 if the model leaves it open. */
function checkClassification({ output }: ClassificationConfig, session: SessionSpecs): number {
  const spec = session.outputs.find(({ name }) => name === output.name);
  if (spec === undefined) {
    const names = session.outputs.map(({ name }) => name).join(', ');
    throw contradiction('output.name', `the model has no output '${output.name}' (${names})`);
  }
  if (spec.datatype !== 'FP32' || spec.shape.length !== 2) {
    throw contradiction('output.name', 'a classification output must be FP32 [N, classes]');
  }
  return spec.shape[1];
}

function detectionClasses({ input, output }: DetectionConfig, session: SessionSpecs): number {
  try {
    return detectionDecoder(output, input, session.outputs).classes;
  } catch (thrown) {
    const { code, message } = LcqError.from(thrown);
    throw new LcqError(code, `config.json: ${message}`, { cause: thrown });
  }
}

function checkInput(
  input: ModelDefinition['config']['input'],
  maxBatchSize: number,
  session: SessionSpecs,
): void {
  const [spec] = session.inputs;
  if (session.inputs.length !== 1 || spec.name !== input.name) {
    const names = session.inputs.map(({ name }) => name).join(', ');
    throw contradiction('input.name', `the model's inputs are: ${names}`);
  }
  const wanted = pictureShape(input);
  const [batch, ...picture] = spec.shape;
  const fits = picture.every((size, i) => size === -1 || size === wanted[i]);
  if (picture.length !== 3 || !fits) {
    const shape = `[N,${wanted}]`;
    throw contradiction('input', `means ${shape}, the model takes [${spec.shape}]`);
  }
  if (batch !== -1 && (batch !== 1 || maxBatchSize !== 1)) {
    throw contradiction('maxBatchSize', `the model takes batches of exactly ${batch}`);
  }
  if (spec.datatype !== 'UINT8' && spec.datatype !== 'FP32') {
    throw contradiction('input.name', `pictures go into UINT8 or FP32, not ${spec.datatype}`);
  }
  if ((spec.datatype === 'FP32') !== (input.normalization !== undefined)) {
    const rule = spec.datatype === 'FP32' ? 'required' : 'not allowed';
    throw contradiction('input.normalization', `${rule}, as the model takes ${spec.datatype}`);
  }
}

const contradiction = (field: string, message: string) =>
  new LcqError('INVALID_ARGUMENT', `config.json: ${field}: ${message}`);
