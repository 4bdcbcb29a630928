// Compares `chat.d.ts` with the typings of Tencent's own package. Compiled, never run.

import TencentCloudChat, { type ChatSDK } from '@tencentcloud/chat';

import Chat from '../../../static/chat.js';

type Surface = Pick<
  ChatSDK,
  | 'login'
  | 'logout'
  | 'setSelfStatus'
  | 'getUserStatus'
  | 'subscribeUserStatus'
  | 'unsubscribeUserStatus'
  | 'on'
  | 'off'
  | 'isReady'
  | 'getLoginUser'
  | 'destroy'
>;

// An instance has the type of theirs, and `create` has the same parameters.
export const surface: Surface = Chat.create({ SDKAppID: 1 });
export const create: (options: Parameters<typeof TencentCloudChat.create>[0]) => Surface = Chat.create;

// Ours accepts every argument that theirs accepts.
export type Accepts<Name extends keyof Surface> = Parameters<ChatSDK[Name]> extends Parameters<Chat[Name]> ? true : never;
export const accepts: { [Name in keyof Surface]: Accepts<Name> } = {
  login: true,
  logout: true,
  setSelfStatus: true,
  getUserStatus: true,
  subscribeUserStatus: true,
  unsubscribeUserStatus: true,
  on: true,
  off: true,
  isReady: true,
  getLoginUser: true,
  destroy: true,
};

// The constants have the same values.
type Theirs<Enum> = { readonly [Name in keyof Enum]: Enum[Name] extends string ? `${Enum[Name]}` : Enum[Name] extends number ? `${Enum[Name]}` : never };
type Ours<Constants> = { readonly [Name in keyof Constants]: Constants[Name] extends string | number ? `${Constants[Name]}` : never };
export const events = (ours: Ours<typeof Chat.EVENT>): Pick<Theirs<typeof TencentCloudChat.EVENT>, keyof typeof Chat.EVENT> => ours;
export const types = (ours: Ours<typeof Chat.TYPES>): Pick<Theirs<typeof TencentCloudChat.TYPES>, keyof typeof Chat.TYPES> => ours;

// The check itself can fail.
// @ts-expect-error
export const missing: ChatSDK = Chat.create({ SDKAppID: 1 });
// @ts-expect-error
Chat.create({});
// @ts-expect-error
surface.login({ userID: 'alice' });
