/**
 * Prints the production packages of package-lock.json, of all platforms, with version and licence, as the table of
 * docs/licences.md: node scripts/list-licences.mjs
 */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
const rows = Object.entries(JSON.parse(text).packages)
  .filter(([path, { dev }]) => path !== '' && !dev)
  .map(([path, { version, license }]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    return `| ${name} | ${version} | ${license} |`;
  });
// One version may be installed in several places.
for (const row of [...new Set(rows)].sort()) console.log(row);
