// The pages of the documentation and their samples: every fenced block of code.

import { readFile, readdir } from 'node:fs/promises';

export const ROOT = new URL('../../../', import.meta.url);

/** Names of all pages, as paths from the root of the repository. */
export async function pages() {
  const docs = await readdir(new URL('docs/', ROOT), { recursive: true });
  const found = docs.filter((path) => path.endsWith('.md')).map((path) => `docs/${path}`);
  return ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...found.sort()];
}

/**
 * The samples of a page in their order. `name` is the page, the language and the number within that language, like
 * `docs/auth.md js 2`. Blocks of `text` are diagrams and no samples.
 * @param {string} page @returns {Promise<{name: string, language: string, code: string}[]>}
 */
export async function samplesOf(page) {
  const text = await readFile(new URL(page, ROOT), 'utf8');
  const counts = {};
  const blocks = Array.from(text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm), ([, language, code]) => ({ language, code }));
  return blocks
    .filter(({ language }) => language !== 'text')
    .map(({ language, code }) => {
      counts[language] = (counts[language] ?? 0) + 1;
      return { name: `${page} ${language} ${counts[language]}`, language, code };
    });
}

/** The JSON values of a text, each on one or more lines of its own. @param {string} text */
export function valuesOf(text) {
  const values = [];
  let waiting = '';
  for (const line of text.split('\n')) {
    waiting += line;
    try {
      values.push(JSON.parse(waiting));
      waiting = '';
    } catch {
      // The value goes on in the next line.
    }
  }
  if (waiting.trim()) throw new Error(`not JSON: ${waiting}`);
  return values;
}

/** Members with a value that differs from run to run; the type stays. */
const VARIABLE = new Set(['id', 'uid', 'name', 'uptime', 'client_ip', 'timestamp', 'active', 'last_online', 'EventTime']);
/** Members that may be missing. */
const OPTIONAL = new Set(['uptime']);

/** What a documented value and a real one have in common: times, ids and addresses become the name of their type. */
export function comparable(value) {
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([name]) => !OPTIONAL.has(name));
  return Object.fromEntries(members.map(([name, member]) => [name, VARIABLE.has(name) ? typeof member : comparable(member)]));
}
