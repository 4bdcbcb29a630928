/** A user's general status, one of `TYPES.USER_STATUS_*`. */
export type UserStatusType = 0 | 1 | 2 | 3;

export interface UserStatus {
  userID: string;
  statusType: UserStatusType;
  /** At most 100 bytes. Empty when the user has none. */
  customStatus: string;
}

export interface UserFailure {
  userID: string;
  code: number;
  message: string;
}

/** The result of a resolved promise. */
export interface ChatResponse<Data> {
  code: 0;
  data: Data;
}

/** The error of a rejected promise. `data.retryAfterMs` comes with code 7008: the method was called too often. */
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
  /** The socket's address, like `wss://host/im`. The default is `/im` on the page's own host. */
  proxyServer?: String | undefined;
}

/** Replacements for the parts of the browser that an instance uses. The default for each is the browser's own. */
export interface Environment {
  WebSocket?: new (address: string) => WebSocket;
  setTimeout?: (handler: () => void, ms: number) => unknown;
  clearTimeout?: (timer: any) => void;
  /** From 0 to 1. */
  random?: () => number;
  /** The platform that the login reports. The default is `Web`. */
  platform?: string;
}

/** Maximum number of calls that wait for a reply. Further calls are rejected with code 2800. */
export declare const MAX_CALLS: 100;

/**
 * User status with the API of Tencent's Web SDK. Every promise is rejected with a `ChatError`. Its code is 6014 when nobody
 * is logged in, 2025 when another user is logged in, 2800 without a connection, 2801 after a timeout, otherwise the server's.
 */
export default class Chat {
  static create(options: CreateOptions, environment?: Environment): Chat;

  /** Rejected when the server cannot be reached. After it has resolved, the instance reconnects and logs in again by itself. */
  login(options: { userID: string; userSig: string }): Promise<ChatResponse<{ userID: string; heartbeatTimeout?: number; repeatLogin?: boolean }>>;
  logout(): Promise<any>;
  /** An empty text clears the status. */
  setSelfStatus(options: { customStatus: string }): Promise<ChatResponse<UserStatus>>;
  /** At most 500 users. */
  getUserStatus(options: { userIDList: string[] }): Promise<ChatResponse<{ successUserList: UserStatus[]; failureUserList: UserFailure[] }>>;
  /** At most 100 users. The reply has their current statuses. */
  subscribeUserStatus(options: { userIDList: string[] }): Promise<ChatResponse<{ successUserList: UserStatus[]; failureUserList: UserFailure[] }>>;
  /** At most 100 users. Without a list, all subscriptions end. */
  unsubscribeUserStatus(options?: { userIDList?: string[] | undefined }): Promise<ChatResponse<{ failureUserList: UserFailure[] }>>;
  on(eventName: string, handler: Function, context?: any): void;
  /** Without a context, removes the handler with every context. */
  off(eventName: string, handler: Function, context?: any): void;
  isReady(): boolean;
  /** Returns an empty text when nobody is logged in. */
  getLoginUser(): string;
  /** Logs out and removes all handlers. */
  destroy(): Promise<void>;

  static readonly EVENT: {
    /** `data.userID` is logged in, for the first time or again after a lost connection. */
    readonly SDK_READY: 'sdkStateReady';
    /** `data.userID` is logged out. */
    readonly SDK_NOT_READY: 'sdkStateNotReady';
    /** `data` is a `UserStatus[]`: the user's own status, those of subscriptions, and those of friends if the server is configured so. */
    readonly USER_STATUS_UPDATED: 'onUserStatusUpdated';
    /** The userSig expired while the connection was lost. `data.type` is the reason. */
    readonly KICKED_OUT: 'kickedOut';
    /** The server refused to log in again, with `data.code` and `data.message`. */
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
