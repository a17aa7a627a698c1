import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../src/training/random.js';

/** Writes three pictures of 32 x 32 a class, in class folders: waves and noise, the same on every run. */
export async function writePictures(folder: string, classes: readonly string[]): Promise<void> {
  const random = new Random(3);
  for (const label of classes) {
    await mkdir(join(folder, label), { recursive: true });
    for (let i = 0; i < 3; i++) await picture(random).toFile(join(folder, label, `${i}.png`));
  }
}

function picture(random: Random) {
  const waves = Array.from({ length: 3 }, () => [random.normal(), random.normal()]);
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const [fx, fy] = waves[i % 3];
    const [x, y] = [Math.floor(i / 3) % 32, Math.floor(i / 96)];
    return Math.round(128 + 90 * Math.sin((fx * x + fy * y) / 4) + random.integer(30));
  });
  return sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } }).png();
}
