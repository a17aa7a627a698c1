import { writeSync } from 'node:fs';

/**
 * Lines on a file descriptor, written at once: the last line before an exit is the one that matters.
 *
 * A line that cannot be written (the disk is full, the reader is gone or does not keep up with a pipe that does not
 * block) is dropped: neither does the process end for it, nor does memory fill with lines. The next one that can be
 * follows a JSON line that says how many are missing.
 */
export class LineOutput {
  readonly #fd: number;
  #dropped = 0;
  /** The last write ended within a line. */
  #isTorn = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** `line` ends with a line break. */
  write(line: string): void {
    const before = this.#isTorn ? '\n' : '';
    const notice = this.#dropped > 0 ? `${noticeOf(this.#dropped)}\n` : '';
    if (this.#writeAll(`${before}${notice}${line}`)) this.#dropped = 0;
    else this.#dropped += 1;
  }

  #writeAll(text: string): boolean {
    let rest = Buffer.from(text);
    try {
      while (rest.length > 0) {
        rest = rest.subarray(writeSync(this.#fd, rest));
        this.#isTorn = rest.length > 0;
      }
      return true;
    } catch {
      return false;
    }
  }
}

const noticeOf = (dropped: number) =>
  JSON.stringify({ level: 40, time: Date.now(), msg: `${dropped} log lines could not be written` });
