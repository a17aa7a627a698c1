import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LcqError } from '../errors.js';
import { type ModelConfig, modelConfigSchema } from './model-config.js';

/** What may be a model's name; also what keeps a name from being a path. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Folder names of versions: positive integers without leading zeros. */
export const MODEL_VERSION = /^[1-9][0-9]{0,17}$/;

/** One version of a model on disk, validated and not yet loaded. */
export interface ModelDefinition {
  readonly name: string;
  readonly version: string;
  /** Absolute path of the ONNX file, inside the repository. */
  readonly modelPath: string;
  readonly config: ModelConfig;
  /** By class index; empty when the model has no labels. */
  readonly labels: readonly string[];
}

/**
 * Reads a model repository: `NAME/config.json`, `NAME/VERSION/model.onnx` and the label file the config names.
 *
 * Of each model the highest version is taken. Files and folders whose names start with a dot are skipped, so are plain
 * files beside the models. Throws INVALID_ARGUMENT naming the file and the field; NOT_FOUND if there is no repository
 * or no model in it.
 */
export async function scanRepository(root: string): Promise<ModelDefinition[]> {
  const folder = await resolveFolder(root);
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.name.startsWith('.') && !entry.isFile())
    .map((entry) => entry.name)
    .sort();
  if (names.length === 0) {
    throw new LcqError('NOT_FOUND', `the model repository ${root} holds no model`);
  }
  return Promise.all(names.map((name) => readDefinition(folder, name)));
}

async function resolveFolder(root: string): Promise<string> {
  try {
    const folder = await realpath(root);
    if ((await stat(folder)).isDirectory()) return folder;
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `the model repository ${root} cannot be read`, { cause });
  }
  throw new LcqError('NOT_FOUND', `the model repository ${root} is not a folder`);
}

async function readDefinition(root: string, name: string): Promise<ModelDefinition> {
  if (!MODEL_NAME.test(name)) {
    const rule =
      'a model name has letters, digits, ".", "_" and "-", and starts with a letter or digit';
    throw new LcqError('INVALID_ARGUMENT', `model folder ${JSON.stringify(name)}: ${rule}`);
  }
  const config = parseConfig(`${name}/config.json`, await readText(root, `${name}/config.json`));
  const version = await latestVersion(root, name);
  const modelPath = await resolveFile(root, `${name}/${version}/model.onnx`);
  const labels = config.labels ? parseLabels(await readText(root, `${name}/${config.labels}`)) : [];
  return { name, version, modelPath, config, labels };
}

async function latestVersion(root: string, name: string): Promise<string> {
  const entries = await readdir(join(root, name));
  const versions = entries.filter((entry) => MODEL_VERSION.test(entry));
  if (versions.length === 0) {
    const message = `model '${name}' has no version folder (${name}/1, ${name}/2, ...)`;
    throw new LcqError('NOT_FOUND', message);
  }
  return versions.reduce((latest, version) =>
    BigInt(version) > BigInt(latest) ? version : latest,
  );
}

/** The real path of a file, refused if a link leads out of the repository. */
async function resolveFile(root: string, path: string): Promise<string> {
  let file: string;
  try {
    file = await realpath(join(root, path));
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `${path} is missing from the model repository`, { cause });
  }
  if (!file.startsWith(root + sep)) {
    throw new LcqError('INVALID_ARGUMENT', `${path} is a link that leaves the model repository`);
  }
  return file;
}

async function readText(root: string, path: string): Promise<string> {
  return readFile(await resolveFile(root, path), 'utf8');
}

function parseConfig(path: string, text: string): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', `${path} is not JSON: ${(cause as Error).message}`);
  }
  const parsed = modelConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  throw new LcqError('INVALID_ARGUMENT', `${path}: ${field}${issue.message}`);
}

function parseLabels(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((label) => label.trim());
}
