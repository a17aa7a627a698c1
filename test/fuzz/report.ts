import type { CampaignResult, Shot } from './campaign.js';
import type { ServerProcess } from './server-process.js';

/** As much as resident memory may be above what it was once warm, as a share and in MiB. */
const GROWTH = { share: 0.15, mebibytes: 64 };
/** Of pino; from here on a line is about a defect. */
const ERROR_LEVEL = 50;

/** Everything that is wrong after a campaign; empty: nothing. */
export async function judge(server: ServerProcess, result: CampaignResult): Promise<string[]> {
  const failures = result.findings.map(
    ({ campaign, seed, defect, shot }) =>
      `${defect}\n  ${campaign}, --seed ${seed}: ${shown(shot)}`,
  );
  if (!server.isRunning) return [...failures, 'the server process ended'];
  const crashes = await server.workerCrashes();
  if (crashes > 0) failures.push(`${crashes} worker processes ended`);
  for (const [line, count] of server.log) {
    if (Number.parseInt(line, 10) >= ERROR_LEVEL) failures.push(`logged ${count} times: ${line}`);
  }
  for (const process of ['server', 'workers'] as const) {
    const sizes = result.memory.map((memory) => memory[process]);
    const growth = growthOf(sizes);
    if (growth !== undefined) failures.push(`memory of the ${process} grew: ${growth}`);
  }
  return failures;
}

/** Compares the medians of the second and of the last quarter; undefined: flat, or too short to tell. */
function growthOf(sizes: readonly number[]): string | undefined {
  const quarter = Math.floor(sizes.length / 4);
  if (quarter < 4) return undefined;
  const before = median(sizes.slice(quarter, 2 * quarter));
  const after = median(sizes.slice(-quarter));
  const limit = before * (1 + GROWTH.share) + GROWTH.mebibytes;
  return after > limit ? `${before} to ${after} MiB` : undefined;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

function shown(shot: Shot): string {
  const bytes =
    shot.kind === 'rest' ? shot.request.bytes : shot.kind === 'grpc' ? shot.call.bytes : shot.bytes;
  const head =
    shot.kind === 'grpc' ? `${shot.call.path} ${JSON.stringify(shot.call.headers)} ` : '';
  return `${head}${JSON.stringify(bytes.subarray(0, 300).toString('latin1'))}`;
}

export function summary(result: CampaignResult, server: ServerProcess): string[] {
  const rows = [...result.outcomes].sort(([a], [b]) => a.localeCompare(b));
  const lines = rows.map(([label, count]) => `${String(count).padStart(8)}  ${label}`);
  const logged = [...server.log].map(
    ([line, count]) => `${String(count).padStart(8)}  log: ${line}`,
  );
  return [...lines, ...logged];
}
