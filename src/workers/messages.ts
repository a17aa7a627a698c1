import type { ErrorCode } from '../errors.js';
import type { ModelFile } from '../runtime/model-file.js';
import type { LcqLayer, Tensor, TensorSpec } from '../runtime/session.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** What the server asks of a worker. */
export type Question =
  | { readonly kind: 'open'; readonly session: number; readonly file: ModelFile }
  | { readonly kind: 'run'; readonly session: number; readonly feeds: Tensors }
  | { readonly kind: 'dispose'; readonly session: number };

/** The answer to each kind of question. */
export interface Answers {
  readonly open: {
    readonly inputs: readonly TensorSpec[];
    readonly outputs: readonly TensorSpec[];
    readonly layers: readonly LcqLayer[];
  };
  readonly run: Tensors;
  readonly dispose: undefined;
}

export interface Request {
  readonly id: number;
  readonly question: Question;
}

/** What a worker says: `ready` once, then to each request its answer or why there is none. */
export type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answers[Question['kind']] }
  | {
      readonly kind: 'failure';
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      /** For our logs, where the error is no LcqError. */
      readonly stack: string | undefined;
    };
