/** How figures are written in a report. */

export const NOTHING = '–';

export const count = (value: number): string => value.toLocaleString('en-US');

/** What keeps a figure and its unit on one line. */
const JOIN = '\u00a0';

export const percent = (share: number, digits = 1): string =>
  `${(100 * share).toFixed(digits)}${JOIN}%`;

/** Of a noise of zero there is no ratio. */
export function decibels(value: number | undefined): string {
  if (value === undefined) return NOTHING;
  return value === Number.POSITIVE_INFINITY ? 'exact' : `${value.toFixed(1)}${JOIN}dB`;
}

/** A difference of shares in percentage points, with its sign. */
export function points(difference: number): string {
  const value = (100 * difference).toFixed(1);
  if (Number(value) === 0) return '0.0';
  return difference > 0 ? `+${value}` : value.replace('-', '−');
}
