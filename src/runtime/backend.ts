import { type InferenceSession, type OnnxValue, registerBackend, Tensor } from 'onnxruntime-node';
import { LcqError } from '../errors.js';
import { elementType } from './element-types.js';
import { createLcqSession, type LcqSession, type LcqSessionOptions } from './lcq-session.js';
import type { Tensor as SessionTensor, TensorElements, TensorSpec } from './session.js';

/**
 * Registers the backend `lcq` with onnxruntime-node, so that
 * `InferenceSession.create(model, { executionProviders: ['lcq'] })` runs on the add-on, off the event loop. Sessions
 * that do not name it are left alone: a negative priority is never a default.
 *
 * Read from the session options: `intraOpNumThreads`, and of `extra` whatever LcqSessionOptions has (`kernels`,
 * `config`).
 */
export function registerLcqBackend(): void {
  registerBackend('lcq', backend, -1);
}

type Backend = Parameters<typeof registerBackend>[1];
type Handler = Awaited<ReturnType<Backend['createInferenceSessionHandler']>>;

const backend: Backend = {
  async init() {},
  async createInferenceSessionHandler(source, options = {}) {
    return new LcqHandler(await createLcqSession(source, sessionOptions(options)));
  },
};

function sessionOptions({ intraOpNumThreads, extra }: InferenceSession.SessionOptions) {
  const own: LcqSessionOptions = { ...extra };
  return intraOpNumThreads === undefined ? own : { ...own, intraOpThreads: intraOpNumThreads };
}

class LcqHandler implements Handler {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly InferenceSession.ValueMetadata[];
  readonly outputMetadata: readonly InferenceSession.ValueMetadata[];
  private readonly session: LcqSession;

  constructor(session: LcqSession) {
    this.session = session;
    this.inputNames = session.inputs.map(({ name }) => name);
    this.outputNames = session.outputs.map(({ name }) => name);
    this.inputMetadata = session.inputs.map(metadata);
    this.outputMetadata = session.outputs.map(metadata);
  }

  async run(
    feeds: InferenceSession.FeedsType,
    fetches: InferenceSession.FetchesType,
  ): Promise<InferenceSession.ReturnType> {
    const inputs = this.inputNames.map((name) => [name, sessionTensor(name, feeds[name])]);
    const outputs = await this.session.run(Object.fromEntries(inputs));
    return Object.fromEntries(
      Object.keys(fetches).map((name) => [name, ortTensor(name, outputs[name])]),
    );
  }

  dispose(): Promise<void> {
    return this.session.dispose();
  }

  // The API has them; there is no profiler behind them here.
  startProfiling(): void {}
  endProfiling(): void {}
}

function metadata({ name, datatype, shape }: TensorSpec): InferenceSession.ValueMetadata {
  const { ortName } = elementType('datatype', datatype, name);
  // onnxruntime-common gives free axes by their names.
  return {
    name,
    isTensor: true,
    type: ortName,
    shape: shape.map((size) => (size < 0 ? '' : size)),
  };
}

function sessionTensor(name: string, value: OnnxValue | undefined): SessionTensor {
  if (!(value instanceof Tensor)) {
    throw new LcqError('INVALID_ARGUMENT', `input '${name}': must be a tensor`);
  }
  const { datatype } = elementType('ortName', value.type, name);
  return { datatype, shape: value.dims, data: value.data as TensorElements };
}

function ortTensor(name: string, { datatype, shape, data }: SessionTensor): Tensor {
  const { ortName } = elementType('datatype', datatype, name);
  return new Tensor(ortName, data as Tensor.DataTypeMap[typeof ortName], shape);
}
