import type { Http2Server, ServerOptions } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** How much of a call, and of all calls of a connection, may be on the way unread, in bytes. */
export const STREAM_WINDOW = 4 << 20;
export const CONNECTION_WINDOW = 16 << 20;

/** Of grpc-js, which has no option for it: 'grpc-node.flow_control_window' is for clients. */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  _setupHandlers(http2Server: Http2Server, interceptors: unknown): void;
}

/**
 * Lets tensors come in one go. HTTP/2's own 64 KiB stop a picture of 224 x 224 several times on its way, which takes
 * longer than all else that the server does with it, and two thirds of its processor time. What is received is limited by
 * the largest message as before: a call is read as it comes, whatever the window.
 */
export function widenFlowControl(server: Server): void {
  const internals = server as unknown as Internals;
  const { commonServerOptions } = internals;
  const { settings } = commonServerOptions;
  commonServerOptions.settings = { ...settings, initialWindowSize: STREAM_WINDOW };
  const setupHandlers = internals._setupHandlers.bind(server);
  internals._setupHandlers = (http2Server, interceptors) => {
    http2Server.on('session', (session) => session.setLocalWindowSize(CONNECTION_WINDOW));
    setupHandlers(http2Server, interceptors);
  };
}
