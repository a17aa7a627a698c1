import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import type { GrpcCall } from './grpc-calls.js';

/** How a call ended. */
export interface GrpcReply {
  readonly httpStatus: number;
  /** `grpc-status`; undefined when the server sent none. */
  readonly status: number | undefined;
  readonly message: string;
  /** All data: length-prefixed messages. */
  readonly body: Buffer;
}

/** `refused`: a header that HTTP/2 cannot carry, so that nothing was sent. */
export type GrpcOutcome = GrpcReply | 'closed' | 'hang' | 'refused';

/** Of what HTTP/2 allows in a path, and in the value of a header: no whitespace at its ends (RFC 9113, 8.2.1). */
const PATH = /^[!-~\x80-\xff]+$/;
const VALUE = /^(?![\t ])[\t -~\x80-\xff]*(?<![\t ])$/;

/** Whether HTTP/2 carries a call's headers to the server, so that there must be a reply. */
export const isCarried = ({ path, headers }: GrpcCall): boolean =>
  PATH.test(path) && headers.every(([, value]) => VALUE.test(value));

/** Longest time that a connection of raw bytes stays open without a word. */
const QUIET_MS = 100;

/** Calls at the level of HTTP/2 streams, on a few connections that are opened anew when the server ends them. */
export class GrpcConnections {
  readonly #port: number;
  readonly #deadlineMs: number;
  readonly #sessions: ClientHttp2Session[] = [];
  #calls = 0;

  constructor(port: number, deadlineMs: number) {
    this.#port = port;
    this.#deadlineMs = deadlineMs;
  }

  send({ path, headers, bytes }: GrpcCall): Promise<GrpcOutcome> {
    const sent = Object.fromEntries([
      ...[
        [':method', 'POST'],
        [':path', path],
        [':scheme', 'http'],
        [':authority', 'fuzz'],
      ],
      ...[['content-type', 'application/grpc'], ['te', 'trailers'], ...headers],
    ]);
    return new Promise((resolve) => {
      let stream: ReturnType<ClientHttp2Session['request']>;
      try {
        stream = this.#session().request(sent);
      } catch {
        resolve('refused');
        return;
      }
      const chunks: Buffer[] = [];
      let answer: Record<string, unknown> = {};
      let isHung = false;
      const deadline = setTimeout(() => {
        isHung = true;
        stream.close(constants.NGHTTP2_CANCEL);
      }, this.#deadlineMs);
      stream.on('response', (headers) => {
        answer = { ...answer, ...headers };
      });
      stream.on('trailers', (trailers) => {
        answer = { ...answer, ...trailers };
      });
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        // A watch goes on until its client ends it.
        if (path.endsWith('/Watch')) stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.on('error', () => {});
      stream.on('close', () => {
        clearTimeout(deadline);
        if (isHung) resolve('hang');
        else if (answer[':status'] === undefined) resolve('closed');
        else resolve(replyOf(answer, Buffer.concat(chunks)));
      });
      stream.end(bytes);
    });
  }

  /** Bytes that are hardly HTTP/2, on a connection of their own. Resolves when that is over, at most `QUIET_MS` later. */
  async sendRaw(bytes: Buffer): Promise<void> {
    const socket = connectSocket(this.#port, '127.0.0.1');
    socket.on('error', () => {}).on('data', () => {});
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.write(bytes);
    await once(socket, 'close');
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #session(): ClientHttp2Session {
    const slot = this.#calls++ % 4;
    const open = this.#sessions[slot];
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const session = connect(`http://127.0.0.1:${this.#port}`);
    session.on('error', () => {});
    this.#sessions[slot] = session;
    return session;
  }
}

function replyOf(answer: Record<string, unknown>, body: Buffer): GrpcReply {
  const status = answer['grpc-status'];
  return {
    httpStatus: Number(answer[':status']),
    status: status === undefined ? undefined : Number(status),
    message: String(answer['grpc-message'] ?? ''),
    body,
  };
}
