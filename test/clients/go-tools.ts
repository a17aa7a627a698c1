import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Ports } from '../../src/main.js';

const folder = fileURLToPath(new URL('../../../build/go-clients/', import.meta.url));
const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';
const HEALTH_PROBE = 'github.com/grpc-ecosystem/grpc-health-probe@v0.4.62';
const run = promisify(execFile);

type Print = (line: string) => void;

/** The path of a Go program, after building it if need be; undefined where that cannot be done. */
function install(module: string): string | undefined {
  const path = join(folder, basename(module.split('@')[0]));
  if (existsSync(path)) return path;
  const env = { ...process.env, GOBIN: folder };
  const { status } = spawnSync('go', ['install', module], { env, stdio: 'ignore' });
  return status === 0 ? path : undefined;
}

/** Runs `check` with the tool; says what became of it. Resolves to false if the check failed. */
async function withTool(
  module: string,
  print: Print,
  check: (path: string) => Promise<void>,
): Promise<boolean> {
  const path = install(module);
  if (path === undefined) {
    print(`skipped: ${module} cannot be installed here`);
    return true;
  }
  try {
    await check(path);
    print(`${basename(path)}: ok`);
    return true;
  } catch (error) {
    print(`failed: ${basename(path)}: ${error}`);
    return false;
  }
}

function expect(text: string, ...parts: string[]): void {
  const missing = parts.find((part) => !text.includes(part));
  if (missing !== undefined) throw new Error(`'${missing}' is not in ${text}`);
}

/** grpcurl, which knows no .proto file here: all by reflection. */
export function checkGrpcurl({ grpc }: Ports, image: string, print: Print): Promise<boolean> {
  return withTool(GRPCURL, print, async (path) => {
    const address = `127.0.0.1:${grpc}`;
    const grpcurl = async (...args: string[]) => (await run(path, ['-plaintext', ...args])).stdout;
    const call = (method: string, request: object) =>
      grpcurl('-d', JSON.stringify(request), address, method);
    const services = ['inference.GRPCInferenceService', 'lcq.v1.Vision', 'grpc.health.v1.Health'];
    expect(await grpcurl(address, 'list'), ...services);
    expect(await grpcurl(address, 'describe', 'lcq.v1.ClassifyRequest'), 'bytes image = 3;');
    expect(await call('inference.GRPCInferenceService/ServerLive', {}), '"live": true');
    const metadata = await call('inference.GRPCInferenceService/ModelMetadata', {
      name: 'colours',
    });
    expect(metadata, '"datatype": "UINT8"', '"name": "logits"');
    const picture = (await readFile(image)).toString('base64');
    const request = { model: 'colours', image: picture, top_k: 1 };
    expect(await call('lcq.v1.Vision/Classify', request), '"label": "green"');
  });
}

/** grpc_health_probe, as Kubernetes runs it: of the server, of each service, and of one that is not there. */
export function checkHealthProbe({ grpc }: Ports, _image: string, print: Print): Promise<boolean> {
  return withTool(HEALTH_PROBE, print, async (path) => {
    for (const service of ['', 'inference.GRPCInferenceService', 'lcq.v1.Vision']) {
      await run(path, [`-addr=127.0.0.1:${grpc}`, `-service=${service}`]);
    }
    const unknown = run(path, [`-addr=127.0.0.1:${grpc}`, '-service=nothing']);
    const outcome = await unknown.then(() => 'healthy').catch((error) => String(error.code));
    expect(outcome, '3');
  });
}
