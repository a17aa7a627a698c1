/**
 * Sums over pairs of a full-precision value x and the integer level q that stands for it, by channel: what the scale
 * and the signal-to-quantization-noise ratio need.
 */
export class ChannelErrors {
  private readonly xx: Float64Array;
  private readonly xq: Float64Array;
  private readonly qq: Float64Array;
  private readonly isScaledByChannel: boolean;

  /** @param isScaledByChannel whether every channel has a scale of its own */
  constructor(channels: number, isScaledByChannel: boolean) {
    this.xx = new Float64Array(channels);
    this.xq = new Float64Array(channels);
    this.qq = new Float64Array(channels);
    this.isScaledByChannel = isScaledByChannel;
  }

  add(channel: number, x: number, q: number): void {
    this.xx[channel] += x * x;
    this.xq[channel] += x * q;
    this.qq[channel] += q * q;
  }

  /** The real value of q = 1 in each channel with the least squared error; 0 for a channel that is zero throughout. */
  scales(): Float64Array {
    if (this.isScaledByChannel) {
      return this.xq.map((xq, channel) => (this.qq[channel] > 0 ? xq / this.qq[channel] : 0));
    }
    const qq = sum(this.qq);
    return new Float64Array(this.qq.length).fill(qq > 0 ? sum(this.xq) / qq : 0);
  }

  /** 10 log10(sum of x^2 / sum of (x - scale q)^2) with these scales, in dB; undefined if all x are zero, or one is not finite. */
  sqnr(): number | undefined {
    const signal = sum(this.xx);
    if (!(signal > 0 && Number.isFinite(signal))) return undefined;
    const noise = this.scales().map(
      (scale, c) => this.xx[c] - 2 * scale * this.xq[c] + scale * scale * this.qq[c],
    );
    // What is left of a difference of equal sums may be below zero by their rounding.
    return 10 * Math.log10(signal / Math.max(0, sum(noise)));
  }
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
