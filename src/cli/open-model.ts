import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { decodePicture } from '../image/decode.js';
import type { Size } from '../image/letterbox.js';
import { pixelPacker } from '../image/normalize.js';
import { pictureShape } from '../repository/model-config.js';
import { type ModelDefinition, ModelRepository } from '../repository/repository.js';
import { createLcqSession, type LcqSession } from '../runtime/lcq-session.js';
import type { Tensor } from '../runtime/session.js';
import { checkSession } from '../serving/load.js';

export const LIMITS = { maxBytes: 64 * 2 ** 20, maxPixels: 100_000_000 };

export interface PictureRun {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Sizes of the pictures as they came. */
  readonly originals: readonly Size[];
}

/** A servable model with the serving path of a picture but no server: decode, pack, run. */
export interface OpenModel {
  readonly definition: ModelDefinition;
  readonly session: LcqSession;
  /** Runs picture files as one batch. */
  runPictures(paths: readonly string[]): Promise<PictureRun>;
}

/** The newest version of the model of a folder REPOSITORY/NAME. Rejects as `ModelRepository.read` does. */
export async function findModel(folder: string): Promise<ModelDefinition> {
  const path = resolve(folder);
  const versions = await new ModelRepository(dirname(path)).read(basename(path));
  return versions[versions.length - 1];
}

/** Opens a model; its session is the caller's to dispose of. */
export async function openModel(
  definition: ModelDefinition,
  intraOpThreads: number,
): Promise<OpenModel> {
  const session = await createLcqSession(definition.modelPath, { intraOpThreads });
  checkSession(definition, session);
  const { input } = definition.config;
  const pack = pixelPacker(input);
  const [{ datatype }] = session.inputs;
  return {
    definition,
    session,
    async runPictures(paths) {
      const pictures = await Promise.all(
        paths.map(async (path) => decodePicture(await readFile(path), input, LIMITS)),
      );
      const shape = [paths.length, ...pictureShape(input)];
      const data = pack(pictures.map(({ pixels }) => pixels));
      const outputs = await session.run({ [input.name]: { datatype, shape, data } });
      return { outputs, originals: pictures.map(({ original }) => original) };
    },
  };
}
