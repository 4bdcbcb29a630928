// Every sample of the documentation, run as a reader would paste it. Only the port and the placeholder of a userSig differ.
//
// `sh` and `toml` samples run by themselves, and a `json` sample after `sh` is what its commands print. All others need an
// entry in `SAMPLES`; a sample without one fails.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

import { launchBrowser } from './harness/browser.mjs';
import { tokenOf } from './harness/centrifugo.mjs';
import { runBinary, startServer, temporaryFolder } from './harness/server.mjs';
import { Inbox } from './harness/wait.mjs';
import { ROOT, comparable, pages, samplesOf } from './samples/pages.mjs';
import { PYTHON, Stage } from './samples/stage.mjs';

const run = promisify(execFile);

/** How samples without an entry of their own are run. */
const DEFAULTS = { sh: (sample, stage) => stage.runsInShell(sample), toml: isConfiguration };

const SAMPLES = {
  'README.md js 1': prints(/bob is \{/, /bob became \{[^}]*state: 'dnd'/),
  'docs/nakama.md js 1': prints(/alice follows bob: \{\n\s+presences: \[/, /alice receives .*"status":"Hello everyone!"/),
  'docs/centrifugo.md js 1': prints(/bob is \{/, /bob became \{[^}]*state: 'dnd'/),
  'docs/centrifugo.md json 1': publication,
  'docs/tencent.md html 1': inChromium(/subscribed .*"userID":"bob","statusType":3/, /changed .*"customStatus":"listening to music"/),
  'docs/tencent.md json 1': notification,
  'docs/auth.md python 1': prints(/^5ddba3cd-5a76-5082-99fc-7e31b772dae6$/m),
  'docs/auth.md js 1': prints(/^5ddba3cd-5a76-5082-99fc-7e31b772dae6$/m),
  'docs/auth.md js 2': prints(/^bob says Hello from my own backend!$/m),
  'docs/auth.md python 2': sessionToken,
  'docs/auth.md js 3': prints(/^eJ[\w*-]+$/m),
  'docs/webhooks.md json 1': webhook('hereabouts'),
  'docs/webhooks.md python 1': receiver,
  'docs/webhooks.md json 2': webhook('tencent'),
  'docs/cluster.md haproxy 1': proxy('haproxy', (file) => ['-c', '-f', file], (code) => code.replace(/bind .*/, 'bind 127.0.0.1:8443') + '\n'),
  'docs/cluster.md nginx 1': proxy('nginx', (file) => ['-t', '-c', file, '-e', 'stderr'], (code, folder) =>
    `pid ${folder}/pid; events {} http { access_log off; ${code.replace('listen 443 ssl', 'listen 127.0.0.1:8443')} }`,
  ),
  'docs/cluster.md conf 1': redis,
};

/** JavaScript or Python that ends by itself and prints these. */
function prints(...expected) {
  return async (sample, stage) => {
    const { stdout } = await stage.executes(sample);
    for (const pattern of expected) assert.match(stdout, pattern);
    return stdout;
  };
}

/** A file that `check-config` accepts, together with keys for an address that is not loopback. */
async function isConfiguration({ code }) {
  const file = join(temporaryFolder(), 'sample.toml');
  await writeFile(file, code);
  const keys = ['NAKAMA__SERVER_KEY', 'NAKAMA__ENCRYPTION_KEY', 'NAKAMA__REFRESH_ENCRYPTION_KEY', 'CENTRIFUGO__CLIENT__TOKEN__HMAC_SECRET_KEY', 'TENCENT__SECRET_KEY'];
  const env = Object.fromEntries(keys.map((key) => [`HEREABOUTS_${key}`, `a ${key} of this test`]));
  assert.match(await runBinary(['--config', file, 'check-config'], env), /usable/);
}

/** A program that prints a session token, which the server accepts. */
async function sessionToken(sample, stage) {
  const token = (await prints(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)(sample, stage)).trim();
  const { url } = await stage.server();
  const response = await fetch(`${url}/v2/user`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200);
}

/** A client of Centrifugo that is connected. */
async function centrifuge(server, stage, claims) {
  const client = new Centrifuge(`ws://${server.address}/connection/websocket`, { token: tokenOf(claims), websocket: WebSocket });
  stage.atEnd(() => client.disconnect());
  client.connect();
  await client.ready();
  return client;
}

/** What a subscriber to bob receives. */
async function publication({ code }, stage) {
  const server = await stage.server();
  const [alice, bob] = [await centrifuge(server, stage, { sub: 'alice' }), await centrifuge(server, stage, { sub: 'bob' })];
  const following = alice.newSubscription('status:bob');
  const received = new Inbox();
  following.on('publication', ({ data }) => received.put(data));
  following.subscribe();
  await following.ready();
  await bob.rpc('update_user_status', { state: 'dnd' });
  const data = await received.take(({ statuses }) => statuses.includes('dnd'), () => new Error(JSON.stringify(received.all)));
  assert.deepEqual(comparable(data), comparable(JSON.parse(code)));
}

/** What a Tencent client receives of bob. */
async function notification({ code }, stage) {
  const { address } = await stage.server();
  const socket = new WebSocket(`ws://${address}/im`);
  stage.atEnd(() => socket.terminate());
  await once(socket, 'open');
  const received = new Inbox();
  socket.on('message', (text) => received.put(JSON.parse(text)));
  const userSig = (await runBinary(['user-sig', 'bob'], {})).trim();
  const calls = [['login', { SDKAppID: 1400000000, userID: 'bob', userSig }], ['setSelfStatus', { customStatus: 'busy' }]];
  for (const [id, [method, params]] of calls.entries()) socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  const notified = await received.take(({ method }) => method, () => new Error(JSON.stringify(received.all)));
  assert.deepEqual(notified, JSON.parse(code));
}

/** A page in Chromium with these messages in its console. */
function inChromium(...expected) {
  return async ({ code }, stage) => {
    const userSig = (await runBinary(['user-sig', 'alice'], {})).trim();
    const html = (await stage.placed(code)).replace('USER_SIG', userSig);
    const chat = await readFile(new URL('../../static/chat.js', import.meta.url));
    const address = await serve(stage, (request, response) => {
      const isChat = request.url === '/chat.js';
      response.setHeader('content-type', isChat ? 'text/javascript' : 'text/html').end(isChat ? chat : html);
    });
    const browser = await launchBrowser();
    stage.atEnd(() => browser.close());
    const page = await browser.newPage();
    const lines = new Inbox();
    page.on('console', (message) => lines.put(message.text()));
    page.on('pageerror', (error) => lines.put(error.stack));
    await page.goto(address);
    for (const pattern of expected) await lines.take((line) => pattern.test(line), () => new Error(`no ${pattern}: ${lines.all.join('\n')}`));
  };
}

/** A server of this test. Returns its address. */
async function serve(stage, listener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  stage.atEnd(() => server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Alice comes and goes on a server with these webhooks. */
async function comeAndGo(stage, settings) {
  const server = await startServer({ env: { HEREABOUTS_WEBHOOK__GRACE_SECONDS: '0', ...settings } });
  stage.atEnd(() => server.stop());
  (await centrifuge(server, stage, { sub: 'alice', info: { platform: 'Web' } })).disconnect();
}

/** What a receiver gets in this form. */
function webhook(shape) {
  return async ({ code }, stage) => {
    const bodies = new Inbox();
    const url = await serve(stage, async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      bodies.put(body);
      response.end();
    });
    await comeAndGo(stage, { HEREABOUTS_WEBHOOK__URLS: url, HEREABOUTS_WEBHOOK__SHAPE: shape });
    const lost = await bodies.take((body) => /disconnect/i.test(body), () => new Error(bodies.all.join('\n')));
    assert.deepEqual(comparable(JSON.parse(lost)), comparable(JSON.parse(code)));
  };
}

/** A receiver of webhooks in Python, which checks the signature. */
async function receiver({ code }, stage) {
  const file = join(stage.folder, 'receiver.py');
  const script = code.replace('("127.0.0.1", 8000), Receiver).serve_forever()', '("127.0.0.1", 0), Receiver)');
  await writeFile(file, `${script.replace('HTTPServer((', 'server = HTTPServer((')}print(server.server_port, flush=True)\nserver.serve_forever()\n`);
  const child = spawn(PYTHON, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  stage.atEnd(() => child.kill());
  const lines = new Inbox();
  createInterface(child.stdout).on('line', (line) => lines.put(line));
  const line = (pattern) => lines.take((text) => pattern.test(text), () => new Error(`no ${pattern}: ${lines.all.join('\n')}`));
  const port = await line(/^\d+$/);
  await comeAndGo(stage, { HEREABOUTS_WEBHOOK__URLS: `http://127.0.0.1:${port}/`, HEREABOUTS_WEBHOOK__SECRET_KEY: 'my-signing-key' });
  await line(/^user\.login alice$/);
  await line(/^user\.disconnect alice$/);
}

/** A configuration that the proxy itself accepts. */
function proxy(name, args, changed) {
  return async ({ code }, stage) => {
    const file = join(stage.folder, `${name}.conf`);
    await writeFile(file, changed(code, stage.folder));
    await run(name, args(file)).catch((error) => assert.fail(error.stderr || error.message));
  };
}

/** Settings with which a Redis starts. */
async function redis({ code }, stage) {
  const file = join(stage.folder, 'redis.conf');
  await writeFile(file, `${code}port 0\nunixsocket ${stage.folder}/redis.sock\ndir ${stage.folder}\n`);
  const child = spawn('redis-server', [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = new Inbox();
  child.once('error', ({ message }) => lines.put(`FATAL ${message}`));
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.put(line));
  stage.atEnd(() => child.kill());
  const line = await lines.take((text) => /ready to accept connections|FATAL/i.test(text), () => new Error(lines.all.join('\n')));
  assert.doesNotMatch(line, /FATAL/, lines.all.join('\n'));
}

const used = new Set();
for (const page of await pages()) {
  const samples = await samplesOf(page);
  if (samples.length === 0) continue;
  describe(page, () => {
    const stage = new Stage();
    for (const [at, sample] of samples.entries()) {
      const { name, language } = sample;
      const answers = !SAMPLES[name] && language === 'json' && samples[at - 1]?.language === 'sh';
      const expected = SAMPLES[name] ?? DEFAULTS[language];
      used.add(name);
      test(name, async (t) => {
        t.after(() => stage.leave(at === samples.length - 1));
        if (answers) return stage.hasPrinted(sample);
        assert.ok(expected, `the sample has no test: add ${name} to SAMPLES\n${sample.code}`);
        await expected(sample, stage);
      });
    }
  });
}

test('every entry of SAMPLES has a sample', () => {
  assert.deepEqual(Object.keys(SAMPLES).filter((name) => !used.has(name)), []);
});

test('every link of the documentation leads to a file and a heading', async () => {
  const anchor = (heading) => heading.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-');
  const wrong = [];
  for (const page of await pages()) {
    const text = await readFile(new URL(page, ROOT), 'utf8');
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path, heading] = link.split('#');
      const target = path ? new URL(path, new URL(page, ROOT)) : new URL(page, ROOT);
      const found = await stat(target).catch(() => undefined);
      const headings = heading && found ? Array.from((await readFile(target, 'utf8')).matchAll(/^#+ (.*)$/gm), ([, title]) => anchor(title)) : [];
      if (!found || (heading && !headings.includes(heading))) wrong.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('docs/server-api.md has a sample of every method', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const { paths } = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const samples = (await samplesOf('docs/server-api.md')).map(({ code }) => code).join('');
  const missing = Object.keys(paths).filter((path) => !new RegExp(`http://127.0.0.1:7350${path}\\s`).test(samples));
  assert.deepEqual(missing, []);
});

test('docs/operations.md has every metric, and no page has another', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const names = Array.from(metrics.matchAll(/^# TYPE (\w+) (\w+)$/gm), ([, name, kind]) => (kind === 'counter' ? `${name}_total` : name));
  assert.ok(names.length > 0);
  const text = (page) => readFile(new URL(page, ROOT), 'utf8');
  const operations = await text('docs/operations.md');
  assert.deepEqual(names.filter((name) => !operations.includes(`\`${name}\``)), []);
  const named = [];
  for (const page of await pages()) named.push(...Array.from((await text(page)).matchAll(/`(hereabouts_\w+)`/g), ([, name]) => name));
  // The table of failures leaves the common beginning out.
  const failures = /\| metric \(`hereabouts_cluster_…`\) \|[\s\S]*?\n\n/.exec(await text('docs/cluster.md'))[0].split('\n').slice(2);
  for (const row of failures.filter(Boolean)) named.push(...Array.from(row.split(' | ')[2].matchAll(/`(\w+)`/g), ([, name]) => `hereabouts_cluster_${name}`));
  assert.deepEqual(named.filter((name) => !names.includes(name)), []);
});
