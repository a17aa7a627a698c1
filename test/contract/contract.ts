import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import type { RestReply } from '../end-to-end/server-under-test.js';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response | Reference>>;
}
interface Response {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content: Readonly<
    Record<string, { readonly schema: object; readonly example?: unknown }>
  >;
}
interface Reference {
  readonly $ref: string;
}

interface Contract {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly responses: Readonly<Record<string, Response>> };
}

export const CONTRACT_FILE = new URL('../../../proto/openapi.yaml', import.meta.url);

/** proto/openapi.yaml, references left as they are. */
export const contract: Contract = parse(readFileSync(CONTRACT_FILE, 'utf8'));

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(contract, 'contract');

/** `#/components/...` of the contract, or the object itself. */
export function resolve<T>(object: T | Reference): T {
  if (typeof object !== 'object' || object === null || !('$ref' in object)) return object as T;
  const keys = object.$ref.slice(2).split('/');
  return keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], contract) as T;
}

/** The validator of a schema whose references lead into the contract. */
export function validator(schema: object): ValidateFunction {
  const absolute = JSON.stringify(schema).replaceAll('"#/', '"contract#/');
  return ajv.compile(JSON.parse(absolute));
}

export function assertValid(schema: object, value: unknown, what: string): void {
  const validate = validator(schema);
  assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
}

/** A reply must be one that the contract promises of this operation: status, headers, content type and content. */
export function assertPromised(path: string, method: 'get' | 'post', reply: RestReply): void {
  const what = `${method} ${path} ${reply.status}`;
  const promised = contract.paths[path]?.[method]?.responses[String(reply.status)];
  assert.ok(promised, `${what} is not in the contract`);
  const { headers = {}, content } = resolve<Response>(promised);
  for (const [name, reference] of Object.entries(headers)) {
    const { required = false, schema } = resolve(reference) as {
      required?: boolean;
      schema: object;
    };
    const value = reply.headers.get(name);
    if (value === null) assert.ok(!required, `${what} has no header ${name}`);
    else assertValid(schema, /^\d+$/.test(value) ? Number(value) : value, `${what} ${name}`);
  }
  const media = content[reply.type ?? ''];
  assert.ok(media, `${what} has the type ${reply.type}`);
  assertValid(media.schema, reply.json ?? reply.bytes.length, what);
}
