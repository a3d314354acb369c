// The steps of a test, in their order. Each is told when it begins and ends.

import { Call } from "./call.js";
import { whyNoSocket } from "./signal.js";
import { hasTCP } from "./stats.js";
import { clockDifference } from "./ticket.js";

/** The ids of the steps. */
export const steps = ["socket", "join", "media", "resume", "tcp", "relay", "clock"];

// Above these, a step that works is doubtful: calls lag.
const lossLimit = 3; // percent
const rttLimit = 400; // ms
const clockLimit = 30; // s

const gatherTime = 5_000; // ms, for the browser's candidates

export class Run {
  /** Results by step: { mark, seconds, detail, data }. */
  results = {};

  /** changed(step) is called when a step begins, and when it has ended. */
  constructor(lib, ticket, source, changed) {
    Object.assign(this, { lib, ticket, source, changed });
    this.call = new Call(lib, ticket);
  }

  async do() {
    try {
      await this.reach();
    } finally {
      await this.step("clock", () => this.clock());
      this.skipRest();
    }
  }

  /** Goes as far as it gets. */
  async reach() {
    if (!(await this.step("socket", () => this.socket()))) return;
    if (!(await this.step("join", () => this.join()))) return;
    if (!(await this.step("media", () => this.media()))) return;
    await this.step("resume", () => this.resume());
    await this.step("tcp", () => this.tcp());
    await this.step("relay", () => this.relay());
  }

  /** Runs one step; it returns whether the next makes sense. */
  async step(name, perform) {
    const began = performance.now();
    this.changed(name);
    let result;
    try {
      result = await perform();
    } catch (fault) {
      result = { mark: "fail", fault: String(fault?.message ?? fault) };
    }
    this.results[name] = { seconds: (performance.now() - began) / 1000, ...result };
    this.changed(name);
    return result.mark !== "fail" || result.goesOn;
  }

  skipRest() {
    for (const name of steps.filter((s) => !this.results[s])) {
      this.results[name] = { mark: "none", seconds: 0, detail: "first" };
      this.changed(name);
    }
  }

  /** LiveKit's own check: does the socket open, and does LiveKit answer on it? */
  async socket() {
    const { CheckStatus, ConnectionCheck } = this.lib;
    const checked = await new ConnectionCheck(this.ticket.url, this.ticket.sender).checkWebsocket();
    if (checked.status === CheckStatus.SUCCESS) return { mark: "ok" };
    this.cause = await whyNoSocket(this.ticket.url, this.ticket.sender);
    return { mark: "fail" };
  }

  async join() {
    try {
      await this.call.join();
    } catch (fault) {
      this.cause = "join-refused";
      throw fault;
    }
    return { mark: "ok" };
  }

  async media() {
    if (!(await this.call.connects())) return { mark: "fail", detail: "noMedia" };
    await this.call.publish(this.source);
    const data = await this.call.measure();
    if (!data) return { mark: "fail", detail: "noFrames" };
    if (data.way !== "udp") return { mark: "fail", goesOn: true, detail: "media", data };
    return { mark: data.loss > lossLimit || data.rtt > rttLimit ? "warn" : "ok", detail: "media", data };
  }

  async resume() {
    return { mark: (await this.call.resumes()) ? "ok" : "warn" };
  }

  async tcp() {
    const { data } = this.results.media;
    if (data.way === "tcp") return { mark: "ok", detail: "tcp", data };
    const pair = await this.call.overTCP();
    if (pair) return { mark: "ok", detail: "tcp", data: pair };
    if (!(await hasTCP(gatherTime))) return { mark: "none", detail: "noTCP" };
    return { mark: "warn", detail: this.call.offered.some((c) => c.protocol === "tcp") ? "noMedia" : "noTCPOffer" };
  }

  async relay() {
    if (this.call.relays.length === 0) return { mark: "none", detail: "noTURN" };
    const pair = await this.call.overRelay();
    return pair ? { mark: "ok", detail: "relay", data: pair } : { mark: "warn", detail: "noMedia" };
  }

  async clock() {
    const seconds = Math.round(clockDifference(this.ticket));
    return { mark: Math.abs(seconds) > clockLimit ? "warn" : "ok", detail: "clock", data: { seconds } };
  }
}
