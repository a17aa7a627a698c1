/** Faults of clients. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { GrpcClient } from '../end-to-end/server-under-test.js';
import type { Question } from './questions.js';
import type { Ports } from './server-process.js';
import { type Outcome, underLoad } from './world.js';

/** What the recent waits foretell depends on what else the machine does, and nobody is to be refused. */
const NO_FORETELLING = { settings: { maxQueueWaitMs: 0 } };

/** Clients that leave during the upload, while they are queued, and before they have read their reply. */
export function disconnected(questions: readonly Question[], quick: boolean): Promise<Outcome> {
  const times = quick ? 60 : 1500;
  const name = `clients that disconnect, ${times} over REST and gRPC each`;
  return underLoad(name, questions, NO_FORETELLING, async ({ server, load }, report) => {
    const vision = new GrpcClient('lcq.v1.Vision', server.ports.grpc);
    const { png } = questions[0];
    for (let i = 0; i < times; i++) {
      // From before the reply to after it.
      const patience = (i % 8) * 3;
      await Promise.all([
        leaveRest(
          server.ports,
          png,
          i % 3 === 0 ? png.length / 2 : png.length,
          patience,
          i % 2 === 0,
        ),
        leaveGrpc(vision, png, patience),
        i % 4 === 0 ? leaveUpload(server.ports) : undefined,
      ]);
    }
    vision.close();
    report.recoveries.push(await load.recovery());
  });
}

/** Sends `length` bytes of a picture, as a body or in a form, and goes. */
async function leaveRest(
  { http }: Ports,
  png: Buffer,
  length: number,
  patience: number,
  isForm: boolean,
): Promise<void> {
  const socket = await opened(http);
  const start = '--x\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n';
  const body = isForm
    ? Buffer.concat([Buffer.from(start), png, Buffer.from('\r\n--x--\r\n')])
    : png;
  const type = isForm ? 'multipart/form-data; boundary=x' : 'image/png';
  socket.write(head(type, body.length));
  socket.write(body.subarray(0, length === png.length ? body.length : length));
  await setTimeout(patience);
  socket.destroy();
}

async function leaveGrpc(vision: GrpcClient, image: Buffer, patience: number): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    const call = vision.start('Classify', { model: 'net', image }, {}, () => resolve());
    globalThis.setTimeout(() => call.cancel(), patience);
  });
  await ended;
}

/** A gRPC connection that breaks off within a message. */
async function leaveUpload(ports: Ports): Promise<void> {
  const session = await slowCall(ports);
  session.destroy();
}

/** Many uploads of a byte at a time, over both transports; good clients are not to notice. */
export function slowUploads(questions: readonly Question[], quick: boolean): Promise<Outcome> {
  const count = quick ? 200 : 500;
  const name = `slow uploads, ${count} over REST and ${count / 10} over gRPC`;
  return underLoad(name, questions, NO_FORETELLING, async ({ server, load }, report) => {
    const { ports } = server;
    const sockets = await Promise.all(Array.from({ length: count }, () => opened(ports.http)));
    const sessions = await Promise.all(Array.from({ length: count / 10 }, () => slowCall(ports)));
    // Half of them do not even finish their head.
    sockets.forEach((socket, i) => {
      socket.write(i % 2 === 0 ? head('image/png', 1_000_000) : 'POST /v1/models/net:cl');
    });
    const end = performance.now() + (quick ? 2000 : 90_000);
    while (performance.now() < end) {
      for (const socket of sockets) if (socket.writable) socket.write('x');
      await setTimeout(250);
    }
    report.recoveries.push(await load.recovery());
    const open = sockets.filter(({ destroyed }) => !destroyed).length;
    if (!quick) report.expect(open === 0, `${open} slow uploads are still open`);
    for (const socket of sockets) socket.destroy();
    for (const session of sessions) session.destroy();
  });
}

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

const head = (type: string, length: number) =>
  'POST /v1/models/net:classify HTTP/1.1\r\nhost: x\r\n' +
  `content-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;

/** A call that has sent the beginning of its message. */
async function slowCall({ grpc }: Ports) {
  const session = connectHttp2(`http://127.0.0.1:${grpc}`);
  session.on('error', () => {});
  await once(session, 'connect');
  const stream = session.request({
    ':method': 'POST',
    ':path': '/lcq.v1.Vision/Classify',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  // Uncompressed, 1000 bytes.
  stream.write(Buffer.from([0, 0, 0, 3, 232, 10]));
  return session;
}
