/** The process that memory.ts starts: memory-probe.js MODEL BATCH prints its greatest resident size in KB. */
import { existsSync, readFileSync } from 'node:fs';
import { createLcqSession } from '../runtime/lcq-session.js';
import { arbitraryFeeds } from './race.js';

const RUNS = 3;
const STATUS = '/proc/self/status';

const [path, batch] = process.argv.slice(2);
if (path !== '') {
  const session = await createLcqSession(path);
  const feeds = arbitraryFeeds(session.inputs, Number(batch));
  for (let run = 0; run < RUNS; run++) await session.run(feeds);
}
process.stdout.write(String(peakKilobytes()));

function peakKilobytes(): number {
  // Linux passes the parent's maxRSS on to the child.
  if (!existsSync(STATUS)) return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1]);
}
