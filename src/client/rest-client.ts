import { ERROR_CODES, type ErrorCode, LcqError } from '../errors.js';
import { bytesOfElements } from '../serving/tensor-bytes.js';
import { type Allowance, makeAttempts, type Outcome } from './attempts.js';
import type {
  CallOptions,
  Classification,
  ClassifyRequest,
  ClientOptions,
  Detections,
  DetectRequest,
  InferReply,
  InferRequest,
  LcqClient,
  ModelMetadata,
  ModelReference,
  Tensor,
} from './client.js';
import { outputTensor } from './output-tensor.js';

export interface RestClientOptions extends ClientOptions {
  /** In place of the global one: for certificates of an authority of your own, a proxy, a pool. */
  readonly fetch?: typeof globalThis.fetch;
}

interface Call {
  readonly path: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** A server by its REST port, such as `http://localhost:8000`. */
export class RestClient implements LcqClient {
  readonly #url: string;
  readonly #options: RestClientOptions;

  constructor(url: string, options: RestClientOptions = {}) {
    this.#url = url.replace(/\/+$/, '');
    this.#options = options;
  }

  classify({ image, topK, ...model }: ClassifyRequest, options?: CallOptions) {
    const path = `/v1/models/${place(model)}:classify${query({ topK })}`;
    return this.#json<Classification>({ path, body: image, headers: PICTURE }, options);
  }

  detect({ image, model, version, ...thresholds }: DetectRequest, options?: CallOptions) {
    const path = `/v1/models/${place({ model, ...(version && { version }) })}:detect${query(thresholds)}`;
    return this.#json<Detections>({ path, body: image, headers: PICTURE }, options);
  }

  async infer(request: InferRequest, options?: CallOptions): Promise<InferReply> {
    const path = `/v2/models/${place(request)}/infer`;
    const { body, jsonLength } = encodeRequest(request);
    const headers = { 'content-type': OCTETS, [JSON_LENGTH_HEADER]: String(jsonLength) };
    return read(await this.#call({ path, body, headers }, options), decodeReply);
  }

  modelMetadata(model: ModelReference, options?: CallOptions) {
    return this.#json<ModelMetadata>({ path: `/v2/models/${place(model)}` }, options);
  }

  async ready(model?: ModelReference, options: CallOptions = {}): Promise<boolean> {
    const path = model === undefined ? '/v2/health/ready' : `/v2/models/${place(model)}/ready`;
    const ask = async (allowance: Allowance): Promise<Outcome<boolean>> => {
      const outcome = await this.#attempt({ path }, allowance);
      if ('reply' in outcome) return { reply: true };
      const isNotReady = outcome.isOurs && outcome.error.code === 'UNAVAILABLE';
      return isNotReady ? { reply: false } : outcome;
    };
    return makeAttempts(ask, this.#options.retries ?? 0, options);
  }

  close(): void {}

  async #json<Reply>(call: Call, options?: CallOptions): Promise<Reply> {
    return read(await this.#call(call, options), (response) => response.json() as Promise<Reply>);
  }

  #call(call: Call, options: CallOptions = {}): Promise<Response> {
    return makeAttempts(
      (allowance) => this.#attempt(call, allowance),
      this.#options.retries ?? 0,
      options,
    );
  }

  /** `isOurs`: the server itself refused; not that it is out of reach, nor a proxy in between. */
  async #attempt(
    { path, body, headers }: Call,
    { signal, remainingMs }: Allowance,
  ): Promise<Outcome<Response> & { isOurs?: boolean }> {
    const { apiKey, fetch = globalThis.fetch } = this.#options;
    try {
      const response = await fetch(`${this.#url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...headers,
          ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
          ...(remainingMs === undefined ? {} : { 'x-request-timeout-ms': String(remainingMs) }),
        },
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        ...(signal === undefined ? {} : { signal }),
      });
      if (response.ok) {
        // All of it belongs to the attempt: the connection may still break.
        return { reply: new Response(await response.arrayBuffer(), response) };
      }
      return await failure(response);
    } catch (cause) {
      const error = new LcqError('UNAVAILABLE', `cannot reach ${this.#url}`, { cause });
      return { error, retryAfterMs: 0 };
    }
  }
}

const OCTETS = 'application/octet-stream';
const PICTURE = { 'content-type': OCTETS };

const place = ({ model, version }: ModelReference) =>
  encodeURIComponent(model) + (version ? `/versions/${encodeURIComponent(version)}` : '');

function query(parameters: Readonly<Record<string, number | undefined>>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return given.length > 0 ? `?${given.map(([name, value]) => `${name}=${value}`).join('&')}` : '';
}

async function failure(response: Response) {
  const { status, headers } = response;
  const body: unknown = await response.json().catch(() => undefined);
  const { code, error: message } = (body ?? {}) as { code?: string; error?: string };
  // What is no answer of ours comes from a proxy in between.
  const isOurs = isErrorCode(code);
  const error = isOurs
    ? new LcqError(code, String(message))
    : new LcqError(status >= 502 ? 'UNAVAILABLE' : 'INTERNAL', `the answer was a bare ${status}`);
  const said = { error, isOurs };
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (error.code === 'RESOURCE_EXHAUSTED' && seconds >= 0) {
    return { ...said, retryAfterMs: seconds * 1000 };
  }
  return error.code === 'UNAVAILABLE' ? { ...said, retryAfterMs: seconds * 1000 || 0 } : said;
}

/** What a good answer says. Rejects with INTERNAL when it cannot be read: a proxy may have given it. */
async function read<Reply>(
  response: Response,
  decode: (response: Response) => Promise<Reply>,
): Promise<Reply> {
  try {
    return await decode(response);
  } catch (cause) {
    if (cause instanceof LcqError) throw cause;
    throw new LcqError('INTERNAL', 'the reply cannot be read', { cause });
  }
}

const isErrorCode = (code: string | undefined): code is ErrorCode =>
  code !== undefined && Object.hasOwn(ERROR_CODES, code);

/** Tensors travel in binary both ways. */
function encodeRequest({ inputs, outputs }: InferRequest) {
  const tensors = Object.values(inputs).map(bytesOfElements);
  const described = Object.entries(inputs).map(([name, { datatype, shape }], i) => {
    return { name, datatype, shape, parameters: { binary_data_size: tensors[i].length } };
  });
  const json = Buffer.from(
    JSON.stringify({
      inputs: described,
      ...(outputs && { outputs: outputs.map((name) => ({ name })) }),
      parameters: { binary_data_output: true },
    }),
  );
  return { body: Buffer.concat([json, ...tensors]), jsonLength: json.length };
}

interface JsonReply {
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly parameters: { readonly binary_data_size: number };
  }[];
}

async function decodeReply(response: Response): Promise<InferReply> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  let at = Number(response.headers.get(JSON_LENGTH_HEADER));
  const json: JsonReply = JSON.parse(new TextDecoder().decode(bytes.subarray(0, at)));
  const outputs: Record<string, Tensor> = {};
  for (const { parameters, ...output } of json.outputs) {
    const end = at + parameters.binary_data_size;
    outputs[output.name] = outputTensor(output, bytes.subarray(at, end));
    at = end;
  }
  return { model: json.model_name, version: json.model_version, outputs };
}
