/**
 * Asks a running server for the class of a picture, over both transports:
 *   node dist/examples/typescript/classify.js PICTURE MODEL [REST_URL GRPC_ADDRESS]
 * An installed package is imported as 'lcq-serving/client'.
 */
import { readFile } from 'node:fs/promises';
import { GrpcClient, type LcqClient, LcqError, RestClient } from '../../src/exports/client.js';

const [path, model, url = 'http://localhost:8000', address = 'localhost:8001'] =
  process.argv.slice(2);
const image = await readFile(path);
const apiKey = process.env.LCQ_API_KEY;
const options = { retries: 2, ...(apiKey && { apiKey }) };

async function show(transport: string, client: LcqClient): Promise<void> {
  try {
    const { predictions } = await client.classify({ model, image, topK: 1 }, { timeoutMs: 10_000 });
    const [{ label, score }] = predictions;
    console.log(`${transport}: ${label} ${score.toFixed(2)}`);
  } catch (error) {
    if (!(error instanceof LcqError)) throw error;
    console.log(`${transport}: ${error.code}, ${error.message}`);
    process.exitCode = 1;
  } finally {
    client.close();
  }
}

await show('REST', new RestClient(url, options));
// An address that begins with https:// means TLS.
const isSecure = address.startsWith('https://');
const host = address.replace(/^https:\/\//, '');
await show('gRPC', new GrpcClient(host, { ...options, ...(isSecure && { tls: {} }) }));
