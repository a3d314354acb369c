// The page that holds Element Call as a widget. Behind the # of its address is
// a name, and in the file of that name who calls where.
// It never says goodbye when it is closed: whoever does is another.
import { ClientWidgetApi, type IRoomEvent, MatrixWidgetType, Widget } from "matrix-widget-api";
import { Account, type Login } from "./account";
import { Driver } from "./driver";

type ToDevice = Parameters<ClientWidgetApi["feedToDevice"]>[0];

interface Sync {
  next_batch: string;
  to_device?: { events: ToDevice[] };
  rooms?: { join?: Record<string, JoinedRoom> };
}

interface JoinedRoom {
  state: { events: IRoomEvent[] };
  timeline: { events: IRoomEvent[] };
  msc4354_sticky?: { events: IRoomEvent[] };
}

/** What Element Call tells or asks the client around it, and all it needs to hear is yes. */
const courtesies = ["io.element.join", "io.element.device_mute", "set_always_on_screen", "io.element.close", "im.vector.hangup"];

const login: Login = await (await fetch(`${location.hash.slice(1)}.json`)).json();
const account = new Account(login);
const driver = new Driver(account);
const iframe = document.querySelector("iframe")!;

function widgetUrl(): string {
  const parameters = new URLSearchParams({
    widgetId: "call", parentUrl: location.origin,
    userId: login.userId, deviceId: login.deviceId, roomId: login.roomId, baseUrl: login.baseUrl,
    intent: "join_existing", skipLobby: "true", confineToRoom: "true", perParticipantE2EE: String(login.encrypted),
  });
  return `${location.origin}/ec/index.html#?${parameters}`;
}

function hold(): ClientWidgetApi {
  const widget = new Widget({
    id: "call", creatorUserId: login.userId, type: MatrixWidgetType.Custom, url: widgetUrl(), waitForIframeLoad: false,
  });
  const api = new ClientWidgetApi(widget, iframe, driver);
  api.setViewedRoomId(login.roomId);
  for (const action of courtesies) {
    api.on(`action:${action}`, (event: CustomEvent) => {
      event.preventDefault();
      api.transport.reply(event.detail, { success: true });
    });
  }
  return api;
}

async function feed(api: ClientWidgetApi, batch: Sync): Promise<void> {
  for (const message of batch.to_device?.events ?? []) await api.feedToDevice(message, true);
  const room = batch.rooms?.join?.[login.roomId];
  if (!room) return;
  for (const event of [...room.state.events, ...room.timeline.events]) {
    if (event.state_key !== undefined) await api.feedStateUpdate(inRoom(event));
  }
  for (const event of [...room.timeline.events, ...stick(room)]) await api.feedEvent(inRoom(event));
}

/** Events of a sync do not say their room. */
function inRoom(event: IRoomEvent): IRoomEvent {
  return { ...event, room_id: login.roomId };
}

/** Remembers the sticky events of a sync, and returns them. */
function stick(room: JoinedRoom): IRoomEvent[] {
  const events = room.msc4354_sticky?.events ?? [];
  for (const event of [...events, ...room.timeline.events]) {
    if ("msc4354_sticky" in event) driver.sticky.set(event.event_id, inRoom(event));
  }
  return events;
}

async function follow(api: ClientWidgetApi, since: string): Promise<never> {
  for (;;) {
    try {
      const batch = await account.sync<Sync>(since);
      await feed(api, batch);
      since = batch.next_batch;
    } catch (error) {
      console.error("sync:", error);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** Has the browser find its camera and microphone: Element Call publishes none that it hears of too late. */
async function findDevices(): Promise<void> {
  try {
    const found = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    for (const track of found.getTracks()) track.stop();
    await navigator.mediaDevices.enumerateDevices();
  } catch (error) {
    console.warn("camera and microphone:", error);
  }
}

const first = await account.sync<Sync>();
const room = first.rooms?.join?.[login.roomId];
if (room) stick(room);
await findDevices();
const api = hold();
iframe.src = widgetUrl();
await follow(api, first.next_batch);
