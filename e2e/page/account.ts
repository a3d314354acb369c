// Account is a logged-in user: the Client-Server API of their homeserver.

/** Who calls where. */
export interface Login {
  baseUrl: string;
  userId: string;
  deviceId: string;
  accessToken: string;
  roomId: string;
  /** Whether media is. */
  encrypted: boolean;
}

const delayedEvents = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/";
const transports = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports";

/** An answer that is not 2xx, in the form that Element Call understands. */
export class MatrixError extends Error {
  constructor(readonly status: number, readonly body: Record<string, unknown>, readonly url: string) {
    super(`${status} ${JSON.stringify(body)} at ${url}`);
  }
}

export class Account {
  private transactions = 0;
  private readonly session = Date.now();

  constructor(readonly login: Login) {}

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const url = this.login.baseUrl + path;
    const response = await fetch(url, {
      method,
      headers: { Authorization: `Bearer ${this.login.accessToken}` },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new MatrixError(response.status, answer, url);
    return answer as T;
  }

  /** Sends an event; query has what makes it a delayed or a sticky one. */
  send<T>(type: string, content: unknown, stateKey: string | null | undefined, query: Record<string, number>): Promise<T> {
    const what = typeof stateKey === "string" ? `state/${segment(type)}/${segment(stateKey)}` : `send/${segment(type)}/${this.transaction()}`;
    return this.call("PUT", `${this.room()}/${what}?${parameters(query)}`, content);
  }

  updateDelayed(id: string, action: "cancel" | "restart" | "send"): Promise<void> {
    return this.call("POST", `${delayedEvents}${segment(id)}/${action}`, {});
  }

  sendToDevice(type: string, messages: unknown): Promise<void> {
    return this.call("PUT", `/_matrix/client/v3/sendToDevice/${segment(type)}/${this.transaction()}`, { messages });
  }

  state<T>(): Promise<T[]> {
    return this.call("GET", `${this.room()}/state`);
  }

  timeline<T>(limit: number): Promise<{ chunk: T[] }> {
    return this.call("GET", `${this.room()}/messages?dir=b&limit=${limit}`);
  }

  openIdToken<T>(): Promise<T> {
    return this.call("POST", `/_matrix/client/v3/user/${segment(this.login.userId)}/openid/request_token`, {});
  }

  transports<T>(): Promise<T> {
    return this.call("GET", transports);
  }

  sync<T>(since?: string): Promise<T> {
    return this.call("GET", `/_matrix/client/v3/sync?timeout=${since ? 30000 : 0}${since ? `&since=${segment(since)}` : ""}`);
  }

  private room(): string {
    return `/_matrix/client/v3/rooms/${segment(this.login.roomId)}`;
  }

  private transaction(): string {
    return `${this.session}.${this.transactions++}`;
  }
}

const segment = encodeURIComponent;

function parameters(query: Record<string, number>): string {
  return new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])).toString();
}
