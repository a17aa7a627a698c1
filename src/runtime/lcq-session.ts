import { LcqError } from '../errors.js';
import {
  type Addon,
  type KernelSet,
  type KernelUse,
  loadAddon,
  type NativeFeed,
  type NativeResult,
  type NativeSession,
  type NativeSpec,
} from './addon.js';
import { elementType } from './element-types.js';
import { lcqLayers } from './lcq-layers.js';
import { openError, runError } from './native-error.js';
import type { LcqLayer, ModelSession, Tensor, TensorSpec } from './session.js';

export interface LcqSessionOptions {
  /** Threads that one run may use, from 0 (as many as there are cores) to 1024; 1 if left out. */
  readonly intraOpThreads?: number;
  /** Forces the kernels of one instruction set, by a name of listKernels(); before the variable LCQ_KERNELS. */
  readonly kernels?: string;
  /** Configuration entries of ONNX Runtime. */
  readonly config?: Readonly<Record<string, string>>;
  /** Path prefix of a trace of all nodes (JSON), which ONNX Runtime completes and writes when the session is disposed. */
  readonly profile?: string;
}

/** A session that also tells which kernel each `lcq` node runs on. */
export interface LcqSession extends ModelSession {
  readonly kernels: readonly KernelUse[];
  readonly layers: readonly LcqLayer[];
}

/** All kernels, by instruction set, the fastest last. */
export function listKernels(): KernelSet[] {
  return loadAddon().kernels();
}

/**
 * Opens a model, from a file (by its path) or from bytes, off the event loop. The bytes must not change before the
 * promise settles. Models may have `lcq` nodes, standard ones or both.
 *
 * Rejects with an LcqError: NOT_FOUND without such a file, INVALID_ARGUMENT for a malformed model or option,
 * UNSUPPORTED for what this build cannot run; messages name the node.
 */
export async function createLcqSession(
  source: string | Uint8Array,
  options: LcqSessionOptions = {},
): Promise<LcqSession> {
  const { intraOpThreads = 1, kernels = '', config = {}, profile = '' } = options;
  if (!Number.isInteger(intraOpThreads) || intraOpThreads < 0 || intraOpThreads > 1024) {
    throw new LcqError('INVALID_ARGUMENT', 'intraOpThreads must be an integer from 0 to 1024');
  }
  if (source.length === 0) throw new LcqError('INVALID_ARGUMENT', 'the model is empty');
  const addon = loadAddon();
  const native = { threads: intraOpThreads, kernels, config, profile };
  return new AddonSession(await open(addon, source, native));
}

async function open(
  addon: Addon,
  source: string | Uint8Array,
  options: Parameters<Addon['createSession']>[1],
): Promise<NativeSession> {
  try {
    return await addon.createSession(source, options);
  } catch (thrown) {
    throw openError(thrown);
  }
}

class AddonSession implements LcqSession {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly kernels: readonly KernelUse[];
  readonly layers: readonly LcqLayer[];
  private readonly native: NativeSession;
  private readonly running = new Set<Promise<unknown>>();
  private disposed: Promise<void> | undefined;

  constructor(native: NativeSession) {
    this.native = native;
    this.inputs = native.inputs.map(tensorSpec);
    this.outputs = native.outputs.map(tensorSpec);
    this.kernels = native.kernels;
    this.layers = lcqLayers(native.kernels, native.quantizers);
  }

  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const run = this.runNative(feeds);
    this.running.add(run);
    const forget = () => this.running.delete(run);
    run.then(forget, forget);
    return run;
  }

  private async runNative(feeds: Readonly<Record<string, Tensor>>) {
    if (this.disposed !== undefined) throw new LcqError('UNAVAILABLE', 'the session is closed');
    const nativeFeeds = this.checkFeeds(feeds);
    try {
      const results = await this.native.run(nativeFeeds, [...this.outputs.keys()]);
      return Object.fromEntries(
        results.map((result, i) => [
          this.outputs[i].name,
          resultTensor(result, this.outputs[i].name),
        ]),
      );
    } catch (thrown) {
      throw runError(thrown);
    }
  }

  /** In the order of the inputs. */
  private checkFeeds(feeds: Readonly<Record<string, Tensor>>): NativeFeed[] {
    const unknown = Object.keys(feeds).find((name) => !this.inputs.some((i) => i.name === name));
    if (unknown !== undefined) {
      throw new LcqError('INVALID_ARGUMENT', `the model has no input '${unknown}'`);
    }
    return this.inputs.map((spec) =>
      nativeFeed(spec, Object.hasOwn(feeds, spec.name) ? feeds[spec.name] : undefined),
    );
  }

  dispose(): Promise<void> {
    this.disposed ??= Promise.allSettled(this.running).then(() => this.native.dispose());
    return this.disposed;
  }
}

function tensorSpec({ name, type, dims }: NativeSpec): TensorSpec {
  return { name, datatype: elementType('number', type, name).datatype, shape: dims };
}

function resultTensor({ type, dims, data }: NativeResult, name: string): Tensor {
  const { datatype, array } = elementType('number', type, name);
  return { datatype, shape: dims, data: new array(data) };
}

/** Checks a feed against its input. */
function nativeFeed(spec: TensorSpec, tensor: Tensor | undefined): NativeFeed {
  const refuse = (problem: string) =>
    new LcqError('INVALID_ARGUMENT', `input '${spec.name}': ${problem}`);
  if (tensor === undefined) throw refuse('is missing');
  const { datatype, shape, data } = tensor;
  if (datatype !== spec.datatype) throw refuse(`is ${datatype}, must be ${spec.datatype}`);
  const fits =
    shape.length === spec.shape.length &&
    shape.every((size, axis) => size === spec.shape[axis] || spec.shape[axis] === -1);
  if (!fits || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw refuse(`has the shape [${shape}], must be [${spec.shape}]`);
  }
  const type = elementType('datatype', datatype, spec.name);
  const count = shape.reduce((product, size) => product * size, 1);
  if (!(data instanceof type.array) || data.length !== count) {
    throw refuse(`${datatype} [${shape}] takes ${count} elements in a ${type.array.name}`);
  }
  // Any other byte is no value of C++'s bool.
  if (datatype === 'BOOL' && (data as Uint8Array).some((byte) => byte > 1)) {
    throw refuse('BOOL elements must be 0 or 1');
  }
  return { type: type.number, dims: shape, data };
}
