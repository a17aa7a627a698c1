import { isDeepStrictEqual } from 'node:util';
import { GrpcClient, rest } from '../end-to-end/server-under-test.js';
import type { FuzzTargets } from './campaign.js';
import type { ServerProcess } from './server-process.js';
import type { Verdict } from './verdict.js';

/** Valid requests on both transports whose answers, taken before anything else, must stay the same to the bit. */
export class Probe {
  readonly #answers: () => Promise<unknown>;
  readonly #expected: unknown;

  private constructor(answers: () => Promise<unknown>, expected: unknown) {
    this.#answers = answers;
    this.#expected = expected;
  }

  static async open(
    { http, grpc }: ServerProcess,
    { classifiers, picture: image }: FuzzTargets,
  ): Promise<Probe> {
    const answers = async () => {
      const vision = new GrpcClient('lcq.v1.Vision', grpc);
      try {
        const replies: unknown[] = [];
        for (const model of classifiers) {
          const url = `http://127.0.0.1:${http}/v1/models/${model}:classify`;
          replies.push((await rest(url, image)).json);
          replies.push(await vision.call('Classify', { model, image }));
        }
        return replies;
      } finally {
        vision.close();
      }
    };
    return new Probe(answers, await answers());
  }

  async check(): Promise<Verdict> {
    const label = 'probe';
    try {
      const answers = await this.#answers();
      if (isDeepStrictEqual(answers, this.#expected)) return { label };
      return { label, defect: `a wrong answer: ${JSON.stringify(answers)}` };
    } catch (error) {
      return { label, defect: `a valid request failed: ${error}` };
    }
  }
}
