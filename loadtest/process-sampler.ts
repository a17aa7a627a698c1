import { readdirSync, readFileSync } from 'node:fs';
import { fitLine, type LinearFit } from './linear-fit.js';

export interface Sample {
  /** Seconds from the first sample. */
  readonly at: number;
  /** Resident memory of all processes together, in MB of 2^20 bytes. */
  readonly rss: number;
  /** Processor time that they have taken since they began, in seconds. */
  readonly cpu: number;
}

export interface ResourceUse {
  readonly samples: readonly Sample[];
  /** Cores that were busy, on average. */
  readonly cores: number;
  /** Greatest resident memory in MB. */
  readonly peakRss: number;
  /** Growth of resident memory in MB an hour; undefined when there are too few samples. */
  readonly growth: LinearFit | undefined;
}

/** Of /proc/PID/stat: Linux counts at 100 Hz whatever its own clock is. */
const TICKS_PER_SECOND = 100;
const MIN_SAMPLES = 10;

/** Watches processes with the children they have at the time, by /proc. */
export class ProcessSampler {
  readonly #pids: readonly number[];
  readonly #samples: Sample[] = [];
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[], everyMs = 1000) {
    this.#pids = pids;
    this.#take();
    this.#timer = setInterval(() => this.#take(), everyMs);
  }

  /** Ends it. `skipSeconds` of its beginning count for nothing: memory settles in the warm-up. */
  stop(skipSeconds: number): ResourceUse {
    clearInterval(this.#timer);
    this.#take();
    const samples = this.#samples.filter(({ at }) => at >= skipSeconds);
    const [first, last] = [samples[0], samples[samples.length - 1]];
    const points = samples.map(({ at, rss }) => ({ x: at / 3600, y: rss }));
    return {
      samples,
      cores: samples.length < 2 ? 0 : (last.cpu - first.cpu) / (last.at - first.at),
      peakRss: Math.max(...samples.map(({ rss }) => rss)),
      growth: samples.length < MIN_SAMPLES ? undefined : fitLine(points),
    };
  }

  #take(): void {
    const pids = this.#pids.flatMap(withChildren);
    const uses = pids.map(useOf);
    this.#samples.push({
      at: (performance.now() - this.#start) / 1000,
      rss: uses.reduce((total, { rss }) => total + rss, 0),
      cpu: uses.reduce((total, { cpu }) => total + cpu, 0),
    });
  }
}

function withChildren(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return [pid, ...children.map(Number).flatMap(withChildren)];
  } catch {
    return [];
  }
}

/** Nothing for a process that is gone. */
function useOf(pid: number): { rss: number; cpu: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // The name before them is in parentheses and may have any characters.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return {
      rss: Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024,
      cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    };
  } catch {
    return { rss: 0, cpu: 0 };
  }
}
