import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { LcqError } from '../../errors.js';

/**
 * What node:http could not read as a request has no reply object: the answer is written to the socket, and the connection
 * is closed, whether the other end closes its own or goes on sending.
 */
export function refuseMalformedHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  const body = JSON.stringify({ error: status.slice(4), code: 'INVALID_ARGUMENT' });
  socket.write(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.destroySoon();
}

/** Takes over two cases in which node:http would answer with nothing but a status. Needs `requireHostHeader` false. */
export function answerWithWords(app: FastifyInstance): void {
  const { server } = app;
  // Expectations other than 100-continue may be ignored (RFC 9110).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  app.addHook('onRequest', async ({ headers, raw }) => {
    if (headers.host !== undefined || raw.httpVersion === '1.0') return;
    throw new LcqError('INVALID_ARGUMENT', "header 'host' is missing");
  });
}
