// Makes a userSig in the browser, with the app's secret. Only for this demo on a development server: in production the
// app's own server makes userSigs and keeps the secret.

const VALID_FOR_SECONDS = 24 * 3600;

/**
 * Returns a userSig as the `tls-sig-api-v2` packages make it.
 * @param {{userID: string, SDKAppID: number, secretKey: string}} claims @param {number} [now] Unix seconds
 * @returns {Promise<string>}
 */
export async function makeUserSig({ userID, SDKAppID, secretKey }, now = Math.floor(Date.now() / 1000)) {
  if (!crypto.subtle) throw new Error('the browser makes a userSig only on https and on localhost');
  const signed = [
    ['TLS.identifier', userID],
    ['TLS.sdkappid', SDKAppID],
    ['TLS.time', now],
    ['TLS.expire', VALID_FOR_SECONDS],
  ];
  const text = signed.map(([name, value]) => `${name}:${value}\n`).join('');
  const key = await crypto.subtle.importKey('raw', utf8(secretKey), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, utf8(text));
  const document = { 'TLS.ver': '2.0', ...Object.fromEntries(signed), 'TLS.sig': base64(new Uint8Array(signature)) };
  const packed = base64(await deflate(utf8(JSON.stringify(document))));
  return packed.replaceAll('+', '*').replaceAll('/', '-').replaceAll('=', '_');
}

async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function utf8(text) {
  return new TextEncoder().encode(text);
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
