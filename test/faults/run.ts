/**
 * Injects faults into a running server under load and counts what became of every request, by the content of the
 * reply: `npm run test:faults`, or `npm run test:faults -- --quick` in about a minute. Words pick the faults whose names
 * contain one of them. The exit status is 1 if any reply was wrong or lost, or an error that the fault does not excuse.
 */
import { disconnected, slowUploads } from './client-faults.js';
import { corruptLoaded, corruptPolled, reloaded } from './model-faults.js';
import { makeQuestions } from './questions.js';
import { clockStepped, fullDisk, terminated, workerKilled } from './server-faults.js';
import type { Outcome } from './world.js';

const FAULTS = {
  kill: workerKilled,
  reload: reloaded,
  'corrupt-load': corruptLoaded,
  'corrupt-poll': corruptPolled,
  disconnect: disconnected,
  slow: slowUploads,
  term: terminated,
  disk: fullDisk,
  clock: clockStepped,
};

const print = (line: string) => process.stdout.write(`${line}\n`);
const round = (value: number) => String(Math.round(value));

function row({ fault, tally, recoveries, memory, failures }: Outcome): string {
  const sorted = [...recoveries].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const recovery =
    sorted.length === 0 ? '-' : `${round(middle)} / ${round(sorted.at(-1) as number)}`;
  const coded = [...tally.coded].map(([code, count]) => `${count} ${code}`);
  if (tally.refused > 0) coded.push(`${tally.refused} refused`);
  const [before, after] = memory.map((sizes) => sizes.map(round).join(' + '));
  const { requests, right, wrong, lost } = tally;
  const cells = [fault, requests, right, coded.join(', ') || '-', wrong, lost, recovery];
  const lines = [`| ${[...cells, `${before} -> ${after}`].join(' | ')} |`];
  return [...lines, ...tally.samples, ...failures.map((text) => `FAILED: ${text}`)].join('\n');
}

const isBad = ({ tally, failures }: Outcome) => tally.wrong + tally.lost + failures.length > 0;

const quick = process.argv.includes('--quick');
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const questions = await makeQuestions();
print(
  '| fault | requests | right | coded errors | wrong | lost | recovery ms, median / max | MiB, server + workers |',
);
print('| --- | ---: | ---: | --- | ---: | ---: | ---: | --- |');
for (const [name, inject] of Object.entries(FAULTS)) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const outcome = await inject(questions, quick);
  print(
    outcome === undefined ? `| ${name} | skipped: libfaketime is not installed |` : row(outcome),
  );
  if (outcome !== undefined && isBad(outcome)) process.exitCode = 1;
}
