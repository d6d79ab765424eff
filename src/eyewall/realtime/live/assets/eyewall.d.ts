/** A published message. */
export interface Message<T = unknown> {
  id: string;
  topic: string;
  data: T;
}

/** Who is there: for each name what is told of its connections. */
export type Who<M = unknown> = Record<string, M[]>;

export type Transport = "socket" | "events" | "poll";
export type State = "connecting" | "open" | "waiting" | "closed";

/** An error that the server told of. */
export class LiveError extends Error {
  /** "forbidden", "too_many", "invalid", "unknown", "lost", "closed", or one of the program's own. */
  code: string;
}

export interface ConnectOptions {
  /** Gives a token for each connection. */
  token?: () => string | Promise<string>;
  /** Keep to one way to the server. */
  transport?: Transport;
}

export interface SubscribeOptions<M = unknown> {
  /** The id after which messages are wanted. */
  since?: string;
  /** So many of the newest messages first. */
  history?: number;
  /** Be told who is there. */
  presence?: boolean;
  /** Be seen there, with this. */
  meta?: M;
}

export interface Topic<T = unknown, M = unknown> {
  readonly name: string;
  /** The id of the last message. */
  readonly last: string | null;
  readonly who: Who<M>;
  /** Resolves with the history when the server has agreed; rejects when it refuses. */
  readonly ready: Promise<Message<T>[]>;
  on(type: "message", listener: (data: T, message: Message<T>, old: boolean) => void): () => void;
  on(type: "presence", listener: (who: Who<M>, joined: Who<M>, left: string[]) => void): () => void;
  /** Messages are missing that can no longer be had. */
  on(type: "gap", listener: (reason: "epoch" | "history" | "slow") => void): () => void;
  /** The server has ended the subscription. */
  on(type: "end", listener: (error: LiveError) => void): () => void;
  on(type: "open", listener: () => void): () => void;
  publish(data: T, key?: string): Promise<string>;
  history(options?: {limit?: number; before?: string}): Promise<Message<T>[]>;
  meta(meta: M): Promise<unknown>;
  leave(): void;
}

export interface Live {
  readonly state: State;
  readonly way: Transport;
  on(type: "state", listener: (state: State, way: Transport) => void): () => void;
  subscribe<T = unknown, M = unknown>(name: string, listener?: (data: T, message: Message<T>) => void): Topic<T, M>;
  subscribe<T = unknown, M = unknown>(
    name: string, options: SubscribeOptions<M>, listener?: (data: T, message: Message<T>) => void,
  ): Topic<T, M>;
  publish(topic: string, data: unknown, key?: string): Promise<string>;
  send<T = unknown>(topic: string, data?: unknown): Promise<T>;
  history<T = unknown>(topic: string, options?: {limit?: number; before?: string}): Promise<Message<T>[]>;
  close(): void;
}

export function connect(url?: string, options?: ConnectOptions): Live;
