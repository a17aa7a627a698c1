/** A process that makes its part of a load: it is sent a job, says `ready`, waits for `go`, and says what it recorded. */
import { once } from 'node:events';
import { closedLoop, type Load, openLoop } from './generator.js';
import { grpcSender } from './grpc-sender.js';
import { contentsOf } from './payload.js';
import { Recorder, type Recording } from './recorder.js';
import { restSender } from './rest-sender.js';
import type { Stream } from './scenario.js';
import type { Sender } from './sender.js';

/** Where the server is: `http://host:port` and `host:port`. */
export interface Target {
  readonly rest: string;
  readonly grpc: string;
}

export interface Job {
  readonly load: Load;
  readonly streams: readonly Stream[];
  readonly target: Target;
  /** By stream. */
  readonly goodWithinMs: readonly number[];
  readonly durationMs: number;
  readonly intervalMs: number;
  /** Of a closed load; 0: the load is open. */
  readonly callers: number;
}

export interface Report {
  readonly recording: Recording;
  /** Of this process, as a share of one core. */
  readonly cpu: number;
}

async function openSenders({ streams, target, load }: Job): Promise<Sender[]> {
  return Promise.all(
    streams.map(async (stream, i) => {
      const contents = await contentsOf(stream.payload, load.seed + i);
      const isGrpc = stream.call.startsWith('grpc');
      return isGrpc
        ? grpcSender(target.grpc, stream, contents)
        : restSender(target.rest, stream, contents);
    }),
  );
}

process.on('disconnect', () => process.exit());
const [job] = (await once(process, 'message')) as [Job];
const senders = await openSenders(job);
const recorder = new Recorder(job.goodWithinMs, job.durationMs, job.intervalMs);
process.send?.('ready');
await once(process, 'message');
const startedAt = performance.now();
const before = process.cpuUsage();
if (job.callers > 0) await closedLoop(job.load, job.callers, senders, recorder);
else await openLoop(job.load, senders, recorder);
const { user, system } = process.cpuUsage(before);
const cpu = (user + system) / 1000 / (performance.now() - startedAt);
const report: Report = { recording: recorder.recording(), cpu };
process.send?.(report, () => process.exit());
