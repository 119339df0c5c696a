// The first view may load at most 150 kB of gzipped script (house style, Web).
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const folder = new URL('../../src/openami/portal/static/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', folder), 'utf8'));
const limit = 150 * 1024;

function scripts(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) scripts(next, seen);
  return seen;
}

const first = [...scripts('index.html')].map((key) => manifest[key].file).filter((file) => file.endsWith('.js'));
const total = first.reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, folder))).length, 0);
console.log(`first view: ${(total / 1024).toFixed(1)} kB of gzipped script in ${first.length} file(s), limit 150 kB`);
if (total > limit) process.exit(1);
