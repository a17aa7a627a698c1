import * as grpc from '@grpc/grpc-js';
import { GrpcClient, rest } from '../end-to-end/server-under-test.js';
import { type ModelKey, type Question, SIZE, whoseLogits, whosePredictions } from './questions.js';
import type { Ports } from './server-process.js';
import { type Ending, Tally } from './tally.js';

const SENDERS = 6;
/** All requests bring a deadline; none should come near it. */
const DEADLINE_MS = 30_000;
/** Longer than the longest back-off of a worker. */
const RECOVERY_MS = 60_000;
/** What grpc-js says itself when a connection breaks: no status of the server. */
const BROKEN =
  /ECONN|EPIPE|Connection dropped|No connection established|RST_STREAM|socket|refused/i;

/** Well-behaved clients of both transports, each with one request at a time, whose every reply is checked. */
export class Load {
  readonly tally = new Tally();
  /** Whose answers are right: of either while a change is under way. */
  allowed: ReadonlySet<ModelKey> = new Set(['A']);
  /** Set when the server is told to stop: requests from then on may be refused by broken connections. */
  isStopping = false;
  /** Who gave the last answer. */
  lastAnswer: ModelKey | undefined;
  readonly #ports: Ports;
  readonly #questions: readonly Question[];
  readonly #inference: GrpcClient;
  readonly #vision: GrpcClient;
  readonly #senders: Promise<void>[];
  readonly #waiting: { since: number; resolve(milliseconds: number): void }[] = [];
  #stopped = false;
  #next = 0;

  constructor(ports: Ports, questions: readonly Question[]) {
    this.#ports = ports;
    this.#questions = questions;
    this.#inference = new GrpcClient('inference.GRPCInferenceService', ports.grpc);
    this.#vision = new GrpcClient('lcq.v1.Vision', ports.grpc);
    this.#senders = Array.from({ length: SENDERS }, () => this.#send());
  }

  /** Milliseconds from now to the first right reply to a request that begins from now on. Rejects if none comes. */
  recovery(): Promise<number> {
    return new Promise((resolve, reject) => {
      const error = new Error(`no right reply within ${RECOVERY_MS} ms`);
      const late = setTimeout(() => reject(error), RECOVERY_MS);
      const inTime = (milliseconds: number) => {
        clearTimeout(late);
        resolve(milliseconds);
      };
      this.#waiting.push({ since: performance.now(), resolve: inTime });
    });
  }

  async stop(): Promise<Tally> {
    this.#stopped = true;
    await Promise.all(this.#senders);
    this.#inference.close();
    this.#vision.close();
    return this.tally;
  }

  async #send(): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      const { allowed, isStopping } = this;
      const number = this.#next++;
      const ending = await this.#ask(number);
      const isRight = this.tally.add(ending, new Set([...allowed, ...this.allowed]), isStopping);
      if (ending.kind === 'answer') this.lastAnswer = ending.of;
      if (isRight) this.#tell(began);
      // Not a rush of refusals while nothing answers.
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #tell(began: number): void {
    const told = this.#waiting.filter(({ since }) => since <= began);
    for (const waiter of told) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve(performance.now() - waiter.since);
    }
  }

  async #ask(number: number): Promise<Ending> {
    const at = (i: number) => this.#questions[(number + i) % this.#questions.length];
    const several = Array.from({ length: 1 + (number % 3) }, (_, i) => at(i));
    try {
      switch (number % 4) {
        case 0:
          return await this.#restInfer(several);
        case 1:
          return await this.#restClassify(at(0));
        case 2:
          return await this.#grpcInfer(several);
        default:
          return await this.#grpcClassify(at(0));
      }
    } catch (thrown) {
      return endingOf(thrown);
    }
  }

  async #restInfer(questions: readonly Question[]): Promise<Ending> {
    const input = {
      ...inputOf(questions),
      parameters: { binary_data_size: rawOf(questions).length },
    };
    const parameters = { binary_data_output: true };
    const json = Buffer.from(JSON.stringify({ inputs: [input], parameters }));
    const url = `http://127.0.0.1:${this.#ports.http}/v2/models/net/infer`;
    const headers = { ...TIMEOUT, 'inference-header-content-length': String(json.length) };
    const reply = await rest(url, Buffer.concat([json, rawOf(questions)]), { headers });
    if (reply.status !== 200) return coded(reply);
    const length = Number(reply.headers.get('inference-header-content-length'));
    return answer(whoseLogits(questions, floats(reply.bytes.subarray(length))));
  }

  async #restClassify(question: Question): Promise<Ending> {
    const url = `http://127.0.0.1:${this.#ports.http}/v1/models/net:classify?topK=10`;
    const reply = await rest(url, question.png, { headers: TIMEOUT });
    if (reply.status !== 200) return coded(reply);
    return answer(whosePredictions(question, reply.json.predictions));
  }

  async #grpcInfer(questions: readonly Question[]): Promise<Ending> {
    const request = {
      model_name: 'net',
      inputs: [inputOf(questions)],
      raw_input_contents: [rawOf(questions)],
    };
    const reply = await this.#inference.call('ModelInfer', request, deadline());
    return answer(whoseLogits(questions, floats(reply.raw_output_contents[0])));
  }

  async #grpcClassify(question: Question): Promise<Ending> {
    const request = { model: 'net', image: question.png, top_k: 10 };
    const reply = await this.#vision.call('Classify', request, deadline());
    return answer(whosePredictions(question, reply.predictions));
  }
}

const TIMEOUT = { 'x-request-timeout-ms': String(DEADLINE_MS) };
const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });
const rawOf = (questions: readonly Question[]) => Buffer.concat(questions.map((q) => q.pixels));
const answer = (of: ModelKey | undefined): Ending => ({ kind: 'answer', of });
const floats = (bytes: Buffer) => new Float32Array(new Uint8Array(bytes).buffer);

const inputOf = ({ length }: readonly Question[]) => {
  return { name: 'image', datatype: 'UINT8', shape: [length, SIZE, SIZE, 3] };
};

function coded({ status, json }: Awaited<ReturnType<typeof rest>>): Ending {
  if (typeof json?.code === 'string') return { kind: 'coded', code: json.code };
  return { kind: 'lost', why: `HTTP ${status} without a code` };
}

function endingOf(thrown: unknown): Ending {
  const { code, details, message, cause } = thrown as grpc.ServiceError & { cause?: Error };
  if (typeof code === 'number' && !(code === grpc.status.UNAVAILABLE && BROKEN.test(details))) {
    const name = grpc.status[code];
    return { kind: 'coded', code: name === 'INTERNAL' ? `INTERNAL (${details})` : name };
  }
  return { kind: 'lost', why: `${message}${cause ? `: ${cause.message}` : ''}` };
}
