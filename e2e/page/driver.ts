// Driver does for Element Call what Matrix clients do for their widgets: each
// wish is one call of the Client-Server API. It grants everything.
import {
  type Capability,
  type IOpenIDCredentials,
  type IRoomEvent,
  type IRtcTransportsResult,
  type ISendDelayedEventDetails,
  type ISendEventDetails,
  type IWidgetApiErrorResponseDataDetails,
  OpenIDRequestState,
  type IOpenIDUpdate,
  type SimpleObservable,
  WidgetDriver,
} from "matrix-widget-api";
import { type Account, MatrixError } from "./account";

const delay = "org.matrix.msc4140.delay";
const stickyDuration = "org.matrix.msc4354.sticky_duration_ms";

export class Driver extends WidgetDriver {
  /** Sticky events that have been synced, and have not ended. */
  readonly sticky = new Map<string, IRoomEvent>();

  constructor(private readonly account: Account) {
    super();
  }

  async validateCapabilities(requested: Set<Capability>): Promise<Set<Capability>> {
    return requested;
  }

  sendEvent(type: string, content: unknown, stateKey?: string | null): Promise<ISendEventDetails> {
    return this.event(type, content, stateKey, {});
  }

  sendStickyEvent(duration: number, type: string, content: unknown): Promise<ISendEventDetails> {
    return this.event(type, content, null, { [stickyDuration]: duration });
  }

  sendDelayedEvent(ms: number, type: string, content: unknown, stateKey?: string | null): Promise<ISendDelayedEventDetails> {
    return this.delayed(type, content, stateKey, { [delay]: ms });
  }

  sendDelayedStickyEvent(ms: number, duration: number, type: string, content: unknown): Promise<ISendDelayedEventDetails> {
    return this.delayed(type, content, null, { [delay]: ms, [stickyDuration]: duration });
  }

  cancelScheduledDelayedEvent(id: string): Promise<void> {
    return this.account.updateDelayed(id, "cancel");
  }

  restartScheduledDelayedEvent(id: string): Promise<void> {
    return this.account.updateDelayed(id, "restart");
  }

  sendScheduledDelayedEvent(id: string): Promise<void> {
    return this.account.updateDelayed(id, "send");
  }

  /** Sent in the clear, also where encryption is asked for: there is no Olm. */
  sendToDevice(type: string, _encrypted: boolean, messages: object): Promise<void> {
    return this.account.sendToDevice(type, messages);
  }

  async readRoomState(_room: string, type: string, stateKey?: string): Promise<IRoomEvent[]> {
    const state = await this.account.state<IRoomEvent>();
    return state.filter((event) => event.type === type && (stateKey === undefined || event.state_key === stateKey));
  }

  async readRoomTimeline(_room: string, type: string, msgtype: string | undefined, stateKey: string | undefined, limit: number): Promise<IRoomEvent[]> {
    const { chunk } = await this.account.timeline<IRoomEvent>(limit || 100);
    return chunk.filter((event) => event.type === type
      && (msgtype === undefined || event.content.msgtype === msgtype)
      && (stateKey === undefined || event.state_key === stateKey));
  }

  async readStickyEvents(): Promise<IRoomEvent[]> {
    return [...this.sticky.values()];
  }

  async askOpenID(observer: SimpleObservable<IOpenIDUpdate>): Promise<void> {
    try {
      observer.update({ state: OpenIDRequestState.Allowed, token: await this.account.openIdToken<IOpenIDCredentials>() });
    } catch (error) {
      console.error("no OpenID token:", error);
      observer.update({ state: OpenIDRequestState.Blocked });
    }
  }

  getRtcTransports(): Promise<IRtcTransportsResult> {
    return this.account.transports();
  }

  async *getTurnServers(): AsyncGenerator<never> {}

  getKnownRooms(): string[] {
    return [this.account.login.roomId];
  }

  processError(error: unknown): IWidgetApiErrorResponseDataDetails | undefined {
    if (!(error instanceof MatrixError)) return undefined;
    const { status, body, url } = error;
    return { matrix_api_error: {
      http_status: status, http_headers: {}, url,
      response: { ...body, errcode: String(body.errcode), error: String(body.error) },
    } };
  }

  private async event(type: string, content: unknown, stateKey: string | null | undefined, query: Record<string, number>): Promise<ISendEventDetails> {
    const answer = await this.account.send<{ event_id: string }>(type, content, stateKey, query);
    return { roomId: this.account.login.roomId, eventId: answer.event_id };
  }

  private async delayed(type: string, content: unknown, stateKey: string | null | undefined, query: Record<string, number>): Promise<ISendDelayedEventDetails> {
    const answer = await this.account.send<{ delay_id: string }>(type, content, stateKey, query);
    return { roomId: this.account.login.roomId, delayId: answer.delay_id };
  }
}
