/** Tells whether an output folder was made from the inputs of now: it holds a hash of those it was made from. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';

const STAMP = '.setup-stamp';

/** Paths relative to the root, sorted, of all files below `folders` whose path matches; an image is built without some. */
export function filesBelow(folders, pattern) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((path) => join(folder, path)),
    )
    .filter((path) => pattern.test(path))
    .sort();
}

/** A hash of names and contents, and of the locked state of npm packages: others may mean another output. */
export function fingerprint(paths, packages) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\0`);
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const name of packages) {
    hash.update(`${name}\0${lock.packages[`node_modules/${name}`]?.integrity}\0`);
  }
  for (const path of paths) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

export function hasStamp(folder, value) {
  try {
    return readFileSync(join(root, folder, STAMP), 'utf8') === value;
  } catch {
    return false;
  }
}

/** Makes the folder's content anew. A make that dies half way leaves no stamp behind. */
export async function makeStamped(folder, value, make) {
  rmSync(join(root, folder, STAMP), { force: true });
  await make();
  writeFileSync(join(root, folder, STAMP), value);
}
