/** A user's general status: `TYPES.USER_STATUS_*`. */
export type UserStatusType = 0 | 1 | 2 | 3;

export interface UserStatus {
  userID: string;
  statusType: UserStatusType;
  /** At most 100 bytes; empty where there is none. */
  customStatus: string;
}

export interface UserFailure {
  userID: string;
  code: number;
  message: string;
}

/** What a promise resolves to. */
export interface ChatResponse<Data> {
  code: 0;
  data: Data;
}

/** What a promise is rejected with; `data.retryAfterMs` comes with code 7008, called too often. */
export interface ChatError extends Error {
  code: number;
  data?: { retryAfterMs?: number };
}

export interface ChatEvent<Data = any> {
  name: string;
  data: Data;
}

export interface CreateOptions {
  SDKAppID: number;
  /** The socket's address, like `wss://host/im`; left out, `/im` on the page's own host. */
  proxyServer?: String | undefined;
}

/** What an instance uses of its surroundings; whatever is left out is the browser's. */
export interface World {
  WebSocket?: new (address: string) => WebSocket;
  setTimeout?: (handler: () => void, ms: number) => unknown;
  clearTimeout?: (timer: any) => void;
  /** From 0 to 1. */
  random?: () => number;
  /** What the server is told this device is; `Web`. */
  platform?: string;
}

/** Calls that may wait for an answer at once; further ones are rejected with code 2800. */
export declare const MOST_CALLS: 100;

/**
 * User status as Tencent's Web SDK has it. Every promise is rejected with a `ChatError`: 6014 nobody is logged in, 2025
 * somebody else is, 2800 no line, 2801 no answer in time, else the server's code.
 */
export default class Chat {
  static create(options: CreateOptions, world?: World): Chat;

  /** Rejected when the server cannot be reached; once resolved, the instance stays logged in by itself. */
  login(options: { userID: string; userSig: string }): Promise<ChatResponse<{ userID: string; heartbeatTimeout?: number; repeatLogin?: boolean }>>;
  logout(): Promise<any>;
  /** Empty clears. */
  setSelfStatus(options: { customStatus: string }): Promise<ChatResponse<UserStatus>>;
  /** At most 500. */
  getUserStatus(options: { userIDList: string[] }): Promise<ChatResponse<{ successUserList: UserStatus[]; failureUserList: UserFailure[] }>>;
  /** At most 100; the answer has their statuses at that moment. */
  subscribeUserStatus(options: { userIDList: string[] }): Promise<ChatResponse<{ successUserList: UserStatus[]; failureUserList: UserFailure[] }>>;
  /** At most 100; all when there is no list. */
  unsubscribeUserStatus(options?: { userIDList?: string[] | undefined }): Promise<ChatResponse<{ failureUserList: UserFailure[] }>>;
  on(eventName: string, handler: Function, context?: any): void;
  /** Without a context, whatever it was added with. */
  off(eventName: string, handler: Function, context?: any): void;
  isReady(): boolean;
  /** Empty when nobody is logged in. */
  getLoginUser(): string;
  /** Logs out and lets go of everything. */
  destroy(): Promise<void>;

  static readonly EVENT: {
    /** `data.userID` is logged in, for the first time or again after a lost line. */
    readonly SDK_READY: 'sdkStateReady';
    /** `data.userID` is logged out. */
    readonly SDK_NOT_READY: 'sdkStateNotReady';
    /** `data` is a `UserStatus[]`: of oneself, of those subscribed to, of friends where the server is set so. */
    readonly USER_STATUS_UPDATED: 'onUserStatusUpdated';
    /** The userSig expired while the line was lost: `data.type`. */
    readonly KICKED_OUT: 'kickedOut';
    /** The server does not let us in again: `data.code`, `data.message`. */
    readonly ERROR: 'error';
    /** `data.state` is one of `TYPES.NET_STATE_*`. */
    readonly NET_STATE_CHANGE: 'netStateChange';
  };

  static readonly TYPES: {
    readonly USER_STATUS_UNKNOWN: 0;
    readonly USER_STATUS_ONLINE: 1;
    readonly USER_STATUS_OFFLINE: 2;
    readonly USER_STATUS_UNLOGINED: 3;
    readonly NET_STATE_CONNECTED: 'connected';
    readonly NET_STATE_CONNECTING: 'connecting';
    readonly NET_STATE_DISCONNECTED: 'disconnected';
    readonly KICKED_OUT_USERSIG_EXPIRED: 'userSigExpired';
  };
}
