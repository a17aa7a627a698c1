import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ClientCheck, expect, run } from './check.js';

/** Where Go programs are built. */
export const programs = fileURLToPath(new URL('../../../build/go-clients/', import.meta.url));

const certificates = fileURLToPath(
  new URL('../../../test/security/certificates/', import.meta.url),
);
const certificate = (name: string) => join(certificates, name);

/** A published Go program: its name, and where it is built. */
function goProgram(name: string, module: string) {
  const path = join(programs, name);
  const env = { ...process.env, GOBIN: programs };
  const install = () =>
    existsSync(path) || spawnSync('go', ['install', module], { env, stdio: 'ignore' }).status === 0;
  return { name, path, install };
}

const grpcurl = goProgram('grpcurl', 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3');
const probe = goProgram('grpc-health-probe', 'github.com/grpc-ecosystem/grpc-health-probe@v0.4.62');

/** grpcurl, which knows no .proto file here: all by reflection. */
const checkGrpcurl: ClientCheck = {
  ...grpcurl,
  async run({ grpc }, image) {
    const address = `127.0.0.1:${grpc}`;
    const ask = (...args: string[]) => run(grpcurl.path, ['-plaintext', ...args]);
    const call = (method: string, request: object) =>
      ask('-d', JSON.stringify(request), address, method);
    const services = ['inference.GRPCInferenceService', 'lcq.v1.Vision', 'grpc.health.v1.Health'];
    expect(await ask(address, 'list'), ...services);
    expect(await ask(address, 'describe', 'lcq.v1.ClassifyRequest'), 'bytes image = 3;');
    expect(await call('inference.GRPCInferenceService/ServerLive', {}), '"live": true');
    const metadata = await call('inference.GRPCInferenceService/ModelMetadata', {
      name: 'colours',
    });
    expect(metadata, '"datatype": "UINT8"', '"name": "logits"');
    const picture = (await readFile(image)).toString('base64');
    const request = { model: 'colours', image: picture, top_k: 1 };
    expect(await call('lcq.v1.Vision/Classify', request), '"label": "green"');
  },
};

/** The exit status of a probe: 0 healthy, 2 no connection, 3 the call failed. */
const probeStatus = (port: number, ...args: string[]): Promise<number> =>
  run(probe.path, [`-addr=127.0.0.1:${port}`, ...args]).then(
    () => 0,
    (error) => error.code,
  );

/** grpc_health_probe, as Kubernetes runs it: of the server, of each service, and of one that is not there. */
const checkHealthProbe: ClientCheck = {
  ...probe,
  async run({ grpc }) {
    for (const service of ['', 'inference.GRPCInferenceService', 'lcq.v1.Vision']) {
      expect(`status ${await probeStatus(grpc, `-service=${service}`)}`, 'status 0');
    }
    expect(`status ${await probeStatus(grpc, '-service=nothing')}`, 'status 3');
  },
};

/** The same over mutual TLS: let in with the right certificates, and without one of them not. */
const checkHealthProbeTls: ClientCheck = {
  ...probe,
  name: `${probe.name}, TLS`,
  settings: {
    tlsCert: certificate('server.crt'),
    tlsKey: certificate('server.key'),
    tlsClientCa: certificate('authority.crt'),
  },
  async run({ grpc }) {
    const authority = `-tls-ca-cert=${certificate('authority.crt')}`;
    const identity = (name: string) => [
      `-tls-client-cert=${certificate(`${name}.crt`)}`,
      `-tls-client-key=${certificate(`${name}.key`)}`,
    ];
    const status = async (...args: string[]) => `status ${await probeStatus(grpc, ...args)}`;
    expect(await status('-tls', authority, ...identity('client')), 'status 0');
    for (const refused of [
      ['-tls', authority],
      ['-tls', authority, ...identity('stranger')],
      ['-tls', ...identity('client')],
      [],
    ]) {
      expect(await status(...refused), 'status 2');
    }
  },
};

export const GO_CHECKS = [checkGrpcurl, checkHealthProbe, checkHealthProbeTls];
