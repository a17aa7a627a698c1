import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LcqError } from '../errors.js';
import { FileDigests } from './file-digests.js';
import { type ModelConfig, modelConfigSchema } from './model-config.js';
import { selectVersions } from './version-policy.js';

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
  /** Of that file. */
  readonly modelBytes: number;
  /** SHA-256 of that file, in hexadecimal digits. */
  readonly modelDigest: string;
  /** Changes whenever the ONNX file, config.json or the labels do. */
  readonly digest: string;
  readonly config: ModelConfig;
  /** By class index; empty when the model has no labels. */
  readonly labels: readonly string[];
}

/**
 * A folder of models: `NAME/config.json`, `NAME/VERSION/model.onnx` and the label file the config names.
 *
 * Files and folders whose names start with a dot are skipped, so are plain files beside the models.
 */
export class ModelRepository {
  readonly #root: string;
  readonly #digests = new FileDigests();

  constructor(root: string) {
    this.#root = root;
  }

  /** Names of the models' folders, sorted. Throws NOT_FOUND if there is no repository. */
  async names(): Promise<string[]> {
    const entries = await readdir(await resolveFolder(this.#root), { withFileTypes: true });
    const folders = entries.filter((entry) => !entry.name.startsWith('.') && !entry.isFile());
    return folders.map((entry) => entry.name).sort();
  }

  /**
   * The versions of a model that its policy means, ascending.
   *
   * Throws NOT_FOUND (no such model, no such version, a file is missing) or INVALID_ARGUMENT naming the file and the
   * field.
   */
  async read(name: string): Promise<ModelDefinition[]> {
    checkName(name);
    const root = await resolveFolder(this.#root);
    const configPath = await resolveFile(root, `${name}/config.json`);
    const config = parseConfig(`${name}/config.json`, await readFile(configPath, 'utf8'));
    const labelPath = config.labels && (await resolveFile(root, `${name}/${config.labels}`));
    const labels = labelPath ? parseLabels(await readFile(labelPath, 'utf8')) : [];
    const shared = labelPath ? [configPath, labelPath] : [configPath];
    const versions = selectVersions(config.versions, await versionFolders(root, name));
    if (versions.length === 0) {
      throw new LcqError('NOT_FOUND', `model '${name}' has none of the versions its config names`);
    }
    return Promise.all(
      versions.map(async (version) => {
        const modelPath = await resolveFile(root, `${name}/${version}/model.onnx`);
        const { size: modelBytes } = await stat(modelPath);
        const files = [modelPath, ...shared].map((path) => this.#digests.of(path));
        const digests = await Promise.all(files);
        const [modelDigest] = digests;
        const content = { modelPath, modelBytes, modelDigest, digest: digests.join('-') };
        return { name, version, ...content, config, labels };
      }),
    );
  }
}

export const emptyRepository = (root: string) =>
  new LcqError('NOT_FOUND', `the model repository ${root} holds no model`);

async function resolveFolder(root: string): Promise<string> {
  try {
    const folder = await realpath(root);
    if ((await stat(folder)).isDirectory()) return folder;
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `the model repository ${root} cannot be read`, { cause });
  }
  throw new LcqError('NOT_FOUND', `the model repository ${root} is not a folder`);
}

function checkName(name: string): void {
  if (MODEL_NAME.test(name)) return;
  const rule =
    'a model name has letters, digits, ".", "_" and "-", and starts with a letter or digit';
  throw new LcqError('INVALID_ARGUMENT', `model folder ${JSON.stringify(name)}: ${rule}`);
}

/** Ascending. */
async function versionFolders(root: string, name: string): Promise<string[]> {
  const entries = await readdir(join(root, name));
  const versions = entries.filter((entry) => MODEL_VERSION.test(entry));
  if (versions.length === 0) {
    const message = `model '${name}' has no version folder (${name}/1, ${name}/2, ...)`;
    throw new LcqError('NOT_FOUND', message);
  }
  return versions.sort((a, b) => Number(BigInt(a) - BigInt(b)));
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

/** One label a line, by class index. */
export function parseLabels(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .map((label) => label.trim());
}
