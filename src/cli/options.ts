import { InvalidArgumentError } from 'commander';

/** Parsers of option values: commander names the option in front of what they throw. */

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a positive integer.');
}

export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number that is not negative.');
}

/** A number from 0 to 1. */
export function share(text: string): number {
  const value = nonNegative(text);
  if (value <= 1) return value;
  throw new InvalidArgumentError('It must be between 0 and 1.');
}
