import fc, { type Arbitrary } from 'fast-check';
import sharp from 'sharp';
import { type GrpcCall, grpcCalls } from './grpc-calls.js';
import { GrpcConnections, isCarried } from './grpc-connection.js';
import { damaged } from './mutations.js';
import { pictureSeeds, pictures } from './pictures.js';
import { picturesSent } from './pictures-sent.js';
import { Probe } from './probe.js';
import { RestConnections } from './rest-connection.js';
import { type RestRequest, restRequests } from './rest-requests.js';
import type { ServerProcess } from './server-process.js';
import { grpcVerdict, restVerdict, type Verdict } from './verdict.js';

/** What valid requests name and hold. */
export interface FuzzTargets {
  /** Models that take `image` UINT8 [N,32,32,3], or a picture. */
  readonly classifiers: readonly string[];
  /** A model that is loaded and unloaded meanwhile. */
  readonly detector: string;
  readonly picture: Buffer;
}

export interface CampaignOptions {
  readonly seed: number;
  readonly requests: number;
  readonly images: number;
  /** Requests on the way at once. */
  readonly concurrency: number;
  onProgress(line: string): void;
}

/** One thing to send, whatever the protocol. */
export type Shot =
  | { readonly kind: 'rest'; readonly request: RestRequest }
  | { readonly kind: 'grpc'; readonly call: GrpcCall }
  | { readonly kind: 'raw'; readonly bytes: Buffer };

export interface Finding {
  /** `--seed` with which this request is the first. */
  readonly seed: number;
  readonly campaign: string;
  readonly defect: string;
  readonly shot: Shot;
}

export interface CampaignResult {
  /** Replies by protocol and status. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
  /** Resident MiB of server and workers, at each progress line. */
  readonly memory: readonly { server: number; workers: number }[];
}

/** Longest time until any reply; far above what the slowest picture takes on a busy machine. */
const DEADLINE_MS = 30_000;
/** A valid request whose answer is known is sent among as many others. */
const PROBE_EVERY = 100;
const PROGRESS_LINES = 20;

/** Fires everything at a server that runs. Shot i is made of `seed + i` alone, so that each can be repeated alone. */
export class Campaign {
  readonly #server: ServerProcess;
  readonly #options: CampaignOptions;
  readonly #rest: RestConnections;
  readonly #grpc: GrpcConnections;
  readonly #outcomes = new Map<string, number>();
  readonly #findings: Finding[] = [];
  readonly #memory: { server: number; workers: number }[] = [];

  constructor(server: ServerProcess, options: CampaignOptions) {
    this.#server = server;
    this.#options = options;
    this.#rest = new RestConnections(server.http, DEADLINE_MS);
    this.#grpc = new GrpcConnections(server.grpc, DEADLINE_MS);
  }

  async run(): Promise<CampaignResult> {
    const picture = await sharp({ create: { ...SQUARE, background: '#2060a0' } })
      .jpeg()
      .toBuffer();
    const targets = {
      classifiers: ['resnet20-cifar10-w2a2', 'resnet20-cifar10-fp32'],
      detector: 'blocks',
      picture,
    };
    const probe = await Probe.open(this.#server, targets);
    try {
      await this.#fire('requests', this.#options.requests, requestShots(targets), probe);
      const seeds = pictures(await pictureSeeds());
      await this.#fire('images', this.#options.images, picturesSent(targets, seeds), probe);
    } finally {
      this.#rest.close();
      this.#grpc.close();
    }
    return { outcomes: this.#outcomes, findings: this.#findings, memory: this.#memory };
  }

  async #fire(campaign: string, count: number, shots: Arbitrary<Shot>, probe: Probe) {
    const { seed, concurrency } = this.#options;
    const step = Math.max(1, Math.ceil(count / PROGRESS_LINES));
    let next = 0;
    const shooter = async () => {
      while (next < count && this.#server.isRunning) {
        const i = next++;
        const [shot] = fc.sample(shots, { seed: seed + i, numRuns: 1 });
        const report = (verdict: Verdict) => this.#report(verdict, campaign, seed + i, shot);
        report(await this.#send(shot));
        if (i % PROBE_EVERY === 0) report(await probe.check());
        if (i % step === 0) await this.#progress(campaign, i, count);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, shooter));
    if (count > 0) await this.#progress(campaign, next, count);
  }

  async #send(shot: Shot): Promise<Verdict> {
    switch (shot.kind) {
      case 'rest': {
        const { isComplete, isHead } = shot.request;
        return restVerdict(await this.#rest.send(shot.request), isComplete, isHead);
      }
      case 'grpc': {
        const { call } = shot;
        const isOpenEnded = call.path.endsWith('/Watch');
        return grpcVerdict(await this.#grpc.send(call), isCarried(call), isOpenEnded);
      }
      case 'raw':
        await this.#grpc.sendRaw(shot.bytes);
        return { label: 'grpc raw bytes' };
    }
  }

  #report({ label, defect }: Verdict, campaign: string, seed: number, shot: Shot): void {
    this.#outcomes.set(label, (this.#outcomes.get(label) ?? 0) + 1);
    if (defect !== undefined) this.#findings.push({ seed, campaign, defect, shot });
  }

  async #progress(campaign: string, done: number, count: number): Promise<void> {
    const memory = await this.#server.memory();
    this.#memory.push(memory);
    const { server, workers } = memory;
    this.#options.onProgress(
      `${campaign} ${done}/${count}: ${this.#findings.length} findings, RSS ${server} + ${workers} MiB`,
    );
  }
}

const SQUARE = { width: 40, height: 40, channels: 3 as const };

function requestShots(targets: FuzzTargets): Arbitrary<Shot> {
  const raw = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  return fc.oneof(
    {
      weight: 50,
      arbitrary: restRequests(targets).map((request): Shot => ({ kind: 'rest', request })),
    },
    { weight: 48, arbitrary: grpcCalls(targets).map((call): Shot => ({ kind: 'grpc', call })) },
    {
      weight: 1,
      arbitrary: damaged(Buffer.concat([raw, raw]), 3).map(
        (bytes): Shot => ({ kind: 'raw', bytes }),
      ),
    },
  );
}
