import { setTimeout as sleep } from 'node:timers/promises';

/** Between two pieces of a slow client's body. */
const PAUSE_MS = 100;

/** The body of a slow client: pieces of it at a steady pace. */
export async function* drip(body: Buffer, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const piece = Math.max(1, Math.floor((bytesPerSecond * PAUSE_MS) / 1000));
  for (let at = 0; at < body.length; at += piece) {
    yield body.subarray(at, at + piece);
    if (at + piece < body.length) await sleep(PAUSE_MS);
  }
}
