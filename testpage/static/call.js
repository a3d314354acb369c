// One participant of a room sends, the other receives.

import { read, between } from "./stats.js";

const iceTime = 12_000; // until media has connected
const frameTime = 8_000; // until the first picture of what is connected
const measureTime = 2_000;
const forceTime = 8_000;
const resumeTime = 10_000;
const tellTime = 3_000;
const glance = 100;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until probe returns something true, and returns that; undefined when time is up. */
async function until(probe, ms) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() >= end) return undefined;
    await sleep(glance);
  }
}

/**
 * The TURN servers that LiveKit offers; undefined before it has said which. Without
 * TURN it names STUN servers of others (Twilio's and Google's): this page asks
 * nobody else, and a LiveKit with public addresses needs none.
 */
function relaysOf(room) {
  return room.engine?.latestJoinResponse?.iceServers.filter((server) => server.urls.some((url) => url.startsWith("turn")))
    .map(({ urls, username, credential }) => ({ urls: urls.filter((url) => url.startsWith("turn")), username, credential }));
}

export class Call {
  /** The SFU's addresses, as candidates of ICE. */
  offered = [];
  /** The URLs of its TURN servers. */
  relays = [];

  constructor(lib, ticket) {
    this.lib = lib;
    this.ticket = ticket;
  }

  /** Both join; media connects afterwards. Rejects if one is not let in. */
  async join() {
    this.sender = this.enter(this.ticket.sender);
    this.receiver = this.enter(this.ticket.receiver);
    await Promise.all([this.sender.joined, this.receiver.joined]);
  }

  enter(token, rtcConfig = {}) {
    const room = new this.lib.Room({ adaptiveStream: false, dynacast: false });
    const signalled = new Promise((resolve) => room.once(this.lib.RoomEvent.SignalConnected, resolve));
    void signalled.then(() => this.watch(room));
    // The library reads this whenever it configures a connection.
    Object.defineProperty(rtcConfig, "iceServers", { enumerable: true, get: () => relaysOf(room) });
    const connected = room.connect(this.ticket.url, token, {
      maxRetries: 0, peerConnectionTimeout: iceTime, websocketTimeout: iceTime, rtcConfig,
    });
    connected.catch(() => {}); // whoever waits for it hears of it
    return { room, connected, joined: Promise.race([signalled, connected]) };
  }

  /** Notes what LiveKit offers: its candidates, and its TURN servers. */
  watch(room) {
    const { client } = room.engine;
    const pass = client.onTrickle;
    client.onTrickle = (candidate, target) => {
      this.note(candidate.candidate);
      pass?.(candidate, target);
    };
    this.relays = relaysOf(room)?.flatMap((server) => server.urls) ?? this.relays;
  }

  note(line) {
    const fields = /^candidate:\S+ \d+ (\w+) \d+ (\S+) (\d+) /.exec(line ?? "");
    if (fields) this.offered.push({ protocol: fields[1].toLowerCase(), address: fields[2], port: Number(fields[3]) });
  }

  /** Whether media of both connects. */
  async connects() {
    const outcomes = await Promise.allSettled([this.sender.connected, this.receiver.connected]);
    return outcomes.every((o) => o.status === "fulfilled");
  }

  async publish(source) {
    const { Track } = this.lib;
    const { localParticipant } = this.sender.room;
    await localParticipant.publishTrack(source.video, {
      source: Track.Source.Camera, simulcast: false, videoEncoding: { maxBitrate: 600_000, maxFramerate: 15 },
    });
    await localParticipant.publishTrack(source.audio, { source: Track.Source.Microphone, dtx: false, red: false });
  }

  /** What is known of both ends now. */
  async look() {
    const sent = read(await this.sentVideo()?.getRTCStatsReport());
    const received = read(await this.receivedVideo()?.getRTCStatsReport());
    return { sent, received };
  }

  sentVideo() {
    return this.sender.room.localParticipant.getTrackPublication(this.lib.Track.Source.Camera)?.track;
  }

  receivedVideo() {
    const sender = this.receiver.room.remoteParticipants.get(this.ticket.name);
    return sender?.getTrackPublication(this.lib.Track.Source.Camera)?.track;
  }

  /** Measures for a while; undefined if no picture arrives. */
  async measure() {
    const before = await this.arrives(() => true, frameTime);
    if (!before) return undefined;
    await sleep(measureTime);
    const after = await this.look();
    return { ...after.sent.pair, ...between(before, after, measureTime / 1000) };
  }

  /** Waits for a picture more that arrives while the ends are as wanted. */
  async arrives(wanted, ms) {
    const { received: { framesDecoded: already } } = await this.look();
    let track = this.receivedVideo();
    let base = already;
    return until(async () => {
      const now = await this.look();
      if (this.receivedVideo() !== track) { // published anew: its count begins again
        track = this.receivedVideo();
        base = 0;
      }
      return now.received.framesDecoded > base && wanted(now) ? now : undefined;
    }, ms);
  }

  /** Breaks the socket, and reports whether the session comes back. */
  async resumes() {
    const { room } = this.sender;
    let back = false;
    room.once(this.lib.RoomEvent.Reconnected, () => { back = true; });
    room.once(this.lib.RoomEvent.SignalReconnecting, () => { this.broke = true; });
    await room.simulateScenario("signal-reconnect");
    const returned = await until(() => back || (this.broke && room.state === "connected"), resumeTime);
    return Boolean(returned) && Boolean(await this.arrives(() => true, frameTime));
  }

  /** Has LiveKit switch the sender to TCP; returns its pair, undefined if that fails. */
  async overTCP() {
    await this.sender.room.simulateScenario("force-tcp");
    const now = await this.arrives((ends) => ends.sent.pair?.way === "tcp", forceTime);
    return now?.sent.pair;
  }

  /** Joins anew through the relay alone; returns the receiver's pair, undefined if that fails. */
  async overRelay() {
    await this.receiver.room.disconnect();
    this.receiver = this.enter(this.ticket.receiver, { iceTransportPolicy: "relay" });
    try {
      await this.receiver.connected;
    } catch {
      return undefined;
    }
    const now = await this.arrives((ends) => ends.received.pair?.way === "relay", frameTime);
    return now?.received.pair;
  }

  /**
   * Tells everybody in the room how the test ended. Both ends do, and each hears the
   * other: after the switch to TCP, what the sender tells may be lost.
   */
  async tell(message) {
    if (this.receiver.room.state !== "connected") { // the relay let it down
      this.receiver = this.enter(this.ticket.receiver);
      await this.receiver.connected.catch(() => {});
    }
    const rooms = [this.sender.room, this.receiver.room];
    const heard = rooms.map((room) => new Promise((resolve) => room.once(this.lib.RoomEvent.DataReceived, resolve)));
    const text = new TextEncoder().encode(JSON.stringify(message));
    await Promise.any(rooms.map((room) => room.localParticipant.publishData(text, { reliable: true, topic: "connection-test" })));
    await Promise.race([...heard, sleep(tellTime)]); // leaving drops what is not sent yet
  }

  async leave() {
    await Promise.allSettled([this.sender, this.receiver].map((end) => end?.room.disconnect()));
  }
}
