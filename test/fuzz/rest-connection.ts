import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { RestRequest } from './rest-requests.js';

/** A reply off the wire; `body` of a HEAD request is empty. */
export interface RestReply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export type RestOutcome = RestReply | 'closed' | 'hang';

/** A sender whose request is not whole says so after this silence. */
const QUIET_MS = 50;

/** Sends requests byte by byte as they are, and keeps connections where the server does. */
export class RestConnections {
  readonly #port: number;
  readonly #deadlineMs: number;
  readonly #idle: Socket[] = [];

  constructor(port: number, deadlineMs: number) {
    this.#port = port;
    this.#deadlineMs = deadlineMs;
  }

  /** Resolves to the first reply, or to how there was none. */
  async send(request: RestRequest): Promise<RestOutcome> {
    const kept = request.isComplete ? this.#takeIdle() : undefined;
    const outcome = await this.#exchange(request, kept ?? (await this.#open()));
    // The server may close an idle connection at any time.
    return outcome === 'closed' && kept !== undefined
      ? this.#exchange(request, await this.#open())
      : outcome;
  }

  close(): void {
    for (const socket of this.#idle.splice(0)) socket.destroy();
  }

  #takeIdle(): Socket | undefined {
    let socket = this.#idle.pop();
    while (socket?.destroyed) socket = this.#idle.pop();
    return socket;
  }

  async #open(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    return socket;
  }

  #exchange({ bytes, isComplete, isHead }: RestRequest, socket: Socket): Promise<RestOutcome> {
    return new Promise((resolve) => {
      let received: Buffer = Buffer.alloc(0);
      const finish = (outcome: RestOutcome, isKept = false) => {
        clearTimeout(deadline);
        clearTimeout(quiet);
        socket.removeAllListeners('data').removeAllListeners('close');
        if (isKept) this.#idle.push(socket);
        else socket.destroy();
        resolve(outcome);
      };
      const deadline = setTimeout(() => finish('hang'), this.#deadlineMs);
      const quiet = isComplete ? undefined : setTimeout(() => socket.end(), QUIET_MS);
      socket.on('close', () => finish(parseReply(received, isHead, true)?.reply ?? 'closed'));
      socket.on('data', (data) => {
        received = Buffer.concat([received, data]);
        const parsed = parseReply(received, isHead, false);
        if (parsed === undefined) return;
        const { reply, length } = parsed;
        const stays = reply.headers.get('connection')?.toLowerCase() !== 'close';
        finish(reply, isComplete && stays && length === received.length);
      });
      socket.write(bytes);
    });
  }
}

/** The first final reply in what was received, undefined while it is not whole. */
function parseReply(
  received: Buffer,
  isHead: boolean,
  isClosed: boolean,
): { reply: RestReply; length: number } | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first, ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(first.split(' ')[1]);
  // 100 Continue comes before the reply.
  if (status < 200) return parseReply(received.subarray(end + 4), isHead, isClosed);
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const size = isHead || status === 204 || status === 304 ? 0 : headers.get('content-length');
  const start = end + 4;
  if (size === undefined && !isClosed) return undefined;
  const length = size === undefined ? received.length : start + Number(size);
  if (received.length < length) return undefined;
  return { reply: { status, headers, body: received.subarray(start, length) }, length };
}
