import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
const tools = join(root, 'build', 'go-tools');

const HELM = 'helm.sh/helm/v3/cmd/helm@v3.22.0';

/** What a program said, and whether it went well. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** The programs that check the chart, compiled from Go modules into build/go-tools. */
export interface GoTools {
  helm(args: readonly string[]): Outcome;
  /** test/deploy/check. */
  check(args: readonly string[]): Outcome;
}

/** Undefined, and why on standard error, where there is no Go or its modules cannot be had. */
export function goTools(): GoTools | undefined {
  const go = (args: readonly string[]) =>
    spawnSync('go', args, {
      env: { ...process.env, GOBIN: tools },
      stdio: ['ignore', 'ignore', 'inherit'],
    }).status === 0;
  const helm = join(tools, 'helm');
  const check = join(tools, 'check');
  const built = go(['build', '-C', join(root, 'test', 'deploy', 'check'), '-o', check, '.']);
  if (!built || (!existsSync(helm) && !go(['install', HELM]))) return undefined;
  return { helm: (args) => run(helm, args), check: (args) => run(check, args) };
}

function run(program: string, args: readonly string[]): Outcome {
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 } as const;
  const { status, stdout, stderr } = spawnSync(program, args, options);
  return { ok: status === 0, output: `${stdout}${stderr}` };
}
