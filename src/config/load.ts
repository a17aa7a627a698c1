import { readFileSync } from 'node:fs';
import { LcqError } from '../errors.js';
import { CONFIG_FIELDS, configSchema, type ServerConfig } from './schema.js';

export interface ConfigSources {
  /** Path of a JSON file. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By field name; undefined where the flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * The configuration: defaults, under the file, under LCQ_* of the environment, under flags.
 *
 * Throws INVALID_ARGUMENT naming the field and where its value came from; NOT_FOUND when the file cannot be read.
 */
export function loadConfig({ file, environment, flags }: ConfigSources): ServerConfig {
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  if (file !== undefined) {
    for (const [field, value] of Object.entries(readConfigFile(file))) {
      values[field] = value;
      origins[field] = `"${field}" in ${file}`;
    }
  }
  for (const { field, flag, variable } of CONFIG_FIELDS) {
    if (environment[variable] !== undefined) {
      values[field] = environment[variable];
      origins[field] = variable;
    }
    if (flags[field] !== undefined) {
      values[field] = flags[field];
      origins[field] = flag;
    }
  }
  const parsed = configSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = String(issue.path[0] ?? '');
  const where = origins[field] ?? (file === undefined ? 'configuration' : file);
  const value = field === '' ? '' : ` (got ${JSON.stringify(values[field])})`;
  throw new LcqError('INVALID_ARGUMENT', `${where}: ${issue.message}${value}`);
}

function readConfigFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LcqError('NOT_FOUND', `configuration file ${file} cannot be read`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LcqError('INVALID_ARGUMENT', `${file} is not JSON: ${(cause as Error).message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new LcqError('INVALID_ARGUMENT', `${file}: must hold one JSON object`);
  }
  return json as Record<string, unknown>;
}
