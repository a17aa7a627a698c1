import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LcqError } from '../errors.js';

/** A tensor on its way into the add-on; `type` is the ONNX number of the element type. */
export interface NativeFeed {
  readonly type: number;
  readonly dims: readonly number[];
  readonly data: ArrayBufferView;
}

/** A tensor that came out of the add-on. */
export interface NativeResult {
  readonly type: number;
  readonly dims: readonly number[];
  readonly data: ArrayBuffer;
}

export interface NativeSpec {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
}

/** What a node with weights was made of. */
export interface NativeLayer {
  /** Names of the values X and W. */
  readonly input: string;
  readonly weights: string;
  readonly weightBits: number;
  readonly weightShape: readonly number[];
  readonly inputLevels: readonly number[];
  readonly weightLevels: readonly number[];
}

/** The kernel that a node of the `lcq` domain was given. */
export interface KernelUse {
  readonly node: string;
  readonly op: string;
  readonly kernel: string;
  readonly layer?: NativeLayer;
}

export interface NativeSession {
  readonly inputs: readonly NativeSpec[];
  readonly outputs: readonly NativeSpec[];
  readonly kernels: readonly KernelUse[];
  /** What the exporter says of the quantizers, JSON; '' if the file has nothing. */
  readonly quantizers: string;
  /** `feeds` in the order of `inputs`; `wanted` are indices of `outputs`, and the results follow it. */
  run(feeds: readonly NativeFeed[], wanted: readonly number[]): Promise<NativeResult[]>;
  dispose(): Promise<void>;
}

export interface NativeSessionOptions {
  readonly threads: number;
  /** The name of an instruction set; '' is the best one. */
  readonly kernels: string;
  readonly config: Readonly<Record<string, string>>;
  /** '' for none. */
  readonly profile: string;
}

/** The kernels of one instruction set. */
export interface KernelSet {
  readonly name: string;
  /** Built into the add-on, and the processor can run it. */
  readonly available: boolean;
  readonly kernels: readonly string[];
}

export interface Addon {
  /** Opens and checks the ONNX Runtime library; returns its version. */
  load(libraryPath: string): string;
  kernels(): KernelSet[];
  createSession(source: string | Uint8Array, options: NativeSessionOptions): Promise<NativeSession>;
}

const require = createRequire(import.meta.url);

/** From dist/src/runtime/. */
const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

const LIBRARY_NAMES: Readonly<Record<string, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
};

/** The library that onnxruntime-node ships for this platform: one copy of it serves that package and the add-on. */
function libraryPath(): string {
  const root = dirname(require.resolve('onnxruntime-node/package.json'));
  const name = LIBRARY_NAMES[process.platform] ?? '';
  const path = join(root, 'bin', 'napi-v6', process.platform, process.arch, name);
  if (name !== '' && existsSync(path)) return path;
  const platform = `${process.platform} ${process.arch}`;
  throw new LcqError('UNSUPPORTED', `onnxruntime-node has no library for ${platform}`);
}

/** What was built on this machine goes before what was packed for its platform. */
const PLACES = [
  join(packageRoot, 'build', 'lcq.node'),
  join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`, 'lcq.node'),
];
const REMEDY = 'npx lcq setup builds it (in a clone: npm run setup)';

let addon: Addon | undefined;

/**
 * The native add-on, loaded at the first call.
 *
 * @throws LcqError UNAVAILABLE if it is not built or does not fit the installed onnxruntime-node; UNSUPPORTED if there
 *   is no ONNX Runtime for this platform.
 */
export function loadAddon(): Addon {
  if (addon !== undefined) return addon;
  const path = PLACES.find(existsSync);
  if (path === undefined) {
    const platform = `${process.platform} ${process.arch}`;
    throw new LcqError('UNAVAILABLE', `no native add-on for ${platform}: ${REMEDY}`);
  }
  const library = libraryPath();
  try {
    const loaded: Addon = require(path);
    loaded.load(library);
    addon = loaded;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `the native add-on does not load: ${reason}; ${REMEDY}`;
    throw new LcqError('UNAVAILABLE', message, { cause });
  }
  return addon;
}
