import { MultiBar, Presets, type SingleBar } from 'cli-progress';

/** Where long work reports to: a bar with ETA on a terminal, a plain line every `interval` elsewhere. */
export interface Progress {
  update(done: number, note: string): void;
  /** A line that stays, such as the figures of an epoch. */
  line(text: string): void;
  stop(): void;
}

const PLAIN_INTERVAL_MS = 30_000;

export function createProgress(title: string, total: number, done = 0): Progress {
  return process.stderr.isTTY ? bar(title, total, done) : plainLines(title, total, done);
}

function bar(title: string, total: number, done: number): Progress {
  const format = `${title} {bar} {percentage}% | {value}/{total} | ETA {eta_formatted} | {note}`;
  const bars = new MultiBar({ format, etaBuffer: 100, hideCursor: true }, Presets.shades_classic);
  const single: SingleBar = bars.create(total, done, { note: '' });
  return {
    update: (value, note) => single.update(value, { note }),
    line: (text) => bars.log(`${text}\n`),
    stop: () => bars.stop(),
  };
}

function plainLines(title: string, total: number, first: number): Progress {
  const started = performance.now();
  let last = started;
  return {
    update(done, note) {
      const now = performance.now();
      if (now - last < PLAIN_INTERVAL_MS && done < total) return;
      last = now;
      const seconds = ((now - started) / 1000 / Math.max(1, done - first)) * (total - done);
      console.error(`${title} ${done}/${total}, ETA ${Math.round(seconds)} s, ${note}`);
    },
    line: (text) => console.error(text),
    stop: () => {},
  };
}
