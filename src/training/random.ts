/** A seeded stream of pseudo-random numbers (PCG-XSH-RR, 32 bits of a 64-bit state), the same on every machine. */
export class Random {
  private state: bigint;
  private readonly increment: bigint;

  /** Streams of different `path`s are independent: (seed, epoch, step) gives each batch a stream of its own. */
  constructor(seed: number, ...path: number[]) {
    const stream = path.reduce((hash, part) => (hash * 1000003n + BigInt(part) + 1n) & MASK, 7n);
    this.increment = ((stream << 1n) | 1n) & MASK;
    this.state = 0n;
    this.next();
    this.state = (this.state + BigInt(seed)) & MASK;
    this.next();
  }

  private next(): number {
    const old = this.state;
    this.state = (old * 6364136223846793005n + this.increment) & MASK;
    const xorshifted = Number((((old >> 18n) ^ old) >> 27n) & 0xffffffffn);
    const rotation = Number(old >> 59n);
    return ((xorshifted >>> rotation) | (xorshifted << (-rotation & 31))) >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.next() / 2 ** 32;
  }

  /** Uniform integer in [0, bound). */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A permutation of 0 .. count - 1 (Fisher-Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

const MASK = (1n << 64n) - 1n;
