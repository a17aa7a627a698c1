import type { Random } from '../training/random.js';
import { ChannelErrors } from './channel-errors.js';

/** Elements of a value that are kept for its histogram. */
const SAMPLE = 20_000;

/** What a value of the quantized network was on some pictures: how often it had each level, and how far off it was. */
export class ObservedValue {
  /** How often each code occurred; empty for a value that is not codes. */
  readonly codeCounts: Float64Array;
  /** Absent without a full-precision value to compare with. */
  errors: ChannelErrors | undefined;
  /** Full-precision elements at random places, and the channel of each. */
  readonly sample: { readonly x: number; readonly channel: number }[] = [];
  private readonly levels: readonly number[] | undefined;
  private readonly isScaledByChannel: boolean;

  /** @param levels by code; absent: the elements are no codes but numbers themselves */
  constructor(levels: readonly number[] | undefined, isScaledByChannel: boolean) {
    this.levels = levels;
    this.isScaledByChannel = isScaledByChannel;
    this.codeCounts = new Float64Array(levels?.length ?? 0);
  }

  /** Takes elements [N,H,W,C] or [N,C] of the quantized network. */
  count(elements: ArrayLike<number>): void {
    if (this.levels === undefined) return;
    for (let i = 0; i < elements.length; i++) this.codeCounts[elements[i]]++;
  }

  /**
   * Compares elements of one batch.
   * @param shape [N,H,W,C] or [N,C]
   * @param elements of the quantized network
   * @param reals the same in full precision, [N,C,H,W] or [N,C]
   * @param share of all pictures that these are
   */
  compare(
    shape: readonly number[],
    elements: ArrayLike<number>,
    reals: Float32Array,
    share: number,
    random: Random,
  ): void {
    const channels = shape[shape.length - 1];
    const area = elements.length / (shape[0] * channels);
    this.errors ??= new ChannelErrors(channels, this.isScaledByChannel);
    for (let plane = 0; plane < shape[0] * channels; plane++) {
      const channel = plane % channels;
      const first = (plane - channel) * area + channel;
      for (let i = 0; i < area; i++) {
        const element = elements[first + i * channels];
        const level = this.levels === undefined ? element : this.levels[element];
        this.errors.add(channel, reals[plane * area + i], level);
      }
    }
    for (let i = 0; i < SAMPLE * share; i++) {
      const at = random.integer(reals.length);
      this.sample.push({ x: reals[at], channel: Math.floor(at / area) % channels });
    }
  }
}
