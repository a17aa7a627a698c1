import { type LoadOptions, runLoad } from './load-run.js';
import type { Scenario } from './scenario.js';

/** One rate that was tried. */
export interface Trial {
  /** Requests a second. */
  readonly rate: number;
  /** Of all requests those answered OK within the bound, from 0 to 1. */
  readonly goodShare: number;
  /** Of the OK replies, in ms. */
  readonly p99: number;
  /** Whether the generator kept up. */
  readonly isValid: boolean;
}

export interface RateSearch {
  /** The highest rate that held, in requests a second; 0 when not even the first did. */
  readonly rate: number;
  readonly trials: readonly Trial[];
  /** The search ended where the generator could not keep up: the server may do more. */
  readonly isGeneratorLimited: boolean;
}

/** Late and failed requests together: the p99 of all that were sent is within the bound. */
const GOOD_SHARE = 0.99;
/** The search ends when the lowest rate that failed is this close to the highest that held. */
const PRECISION = 1.05;

/** Finds the highest rate that holds: doubles from `from` until one does not, then bisects. */
export async function searchRate(
  tryRate: (rate: number) => Promise<Trial>,
  from: number,
): Promise<RateSearch> {
  const trials: Trial[] = [];
  const holds = async (rate: number) => {
    const trial = await tryRate(rate);
    trials.push(trial);
    return trial.isValid && trial.goodShare >= GOOD_SHARE;
  };
  let low = 0;
  let high = from;
  while (await holds(high)) {
    low = high;
    high *= 2;
  }
  while (low > 0 && high / low > PRECISION) {
    const middle = Math.sqrt(low * high);
    if (await holds(middle)) low = middle;
    else high = middle;
  }
  const lowestFailed = trials.find(({ rate }) => rate === high);
  return { rate: low, trials, isGeneratorLimited: lowestFailed?.isValid === false };
}

/** The same for the streams of a scenario on a server; tells each trial on standard error. */
export function highestRate(scenario: Scenario, load: LoadOptions): Promise<RateSearch> {
  const { from, seconds } = scenario.search;
  return searchRate(async (rate) => {
    const result = await runLoad(scenario, [{ seconds, rate }], load);
    const trial = {
      rate,
      goodShare: result.goodput / result.sent,
      p99: result.outcomes.OK?.p99 ?? 0,
      isValid: result.isValid,
    };
    const told = `${(trial.goodShare * 100).toFixed(2)} % in time, p99 ${trial.p99.toFixed(1)} ms`;
    const lagged = trial.isValid ? '' : ', but the generator lagged';
    process.stderr.write(`loadtest: ${rate.toFixed(1)}/s: ${told}${lagged}\n`);
    return trial;
  }, from);
}
