// Nakama's JavaScript SDK, unmodified, with the one thing that Node does not give it: browsers' WebSocket.

import { Client, Session, WebSocketAdapterText } from '@heroiclabs/nakama-js';
import { WebSocketAdapterPb } from '@heroiclabs/nakama-js-protobuf';
import WebSocket from 'ws';

globalThis.WebSocket = WebSocket;

export { Client, Session };

/** The SDK's ways to speak on the socket. */
export const ADAPTERS = ['text', 'protobuf'];

/** @param {string} name one of them */
export function makeAdapter(name) {
  return name === 'protobuf' ? new WebSocketAdapterPb() : new WebSocketAdapterText();
}

/** The key every client uses unless a test is about it. */
export const SERVER_KEY = 'defaultkey';

/** @param {{host: string, port: number}} server @param {{serverKey?: string, refreshes?: boolean}} [options] */
export function clientOf(server, { serverKey = SERVER_KEY, refreshes = true } = {}) {
  return new Client(serverKey, server.host, String(server.port), false, undefined, refreshes);
}

/** A socket that is not connected yet. @param {Client} client @param {string} adapter */
export function socketOf(client, adapter) {
  return client.createSocket(false, false, makeAdapter(adapter));
}

/**
 * What a REST call was refused with. The SDK rejects with the bare response.
 * @param {Promise<unknown>} call
 * @returns {Promise<{http: number, code: number, message: string}>}
 */
export async function refusal(call) {
  const outcome = await call.then(
    (value) => new Error(`not refused, but answered ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  if (!(outcome instanceof Response)) throw outcome;
  return { http: outcome.status, ...(await outcome.json()) };
}

/**
 * The `error` that a request on a socket was answered with.
 * @param {Promise<unknown>} request
 * @returns {Promise<{code: number, message: string}>}
 */
export async function errorReply(request) {
  const outcome = await request.then(
    (value) => new Error(`not refused, but answered ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  if (typeof outcome?.message !== 'string' || outcome instanceof Error) {
    throw new Error('expected an error reply', { cause: outcome });
  }
  return { code: outcome.code ?? 0, message: outcome.message };
}
