// What the tests look at in a page with a call. It runs in every frame, before
// the frame's own scripts; the call is in a frame of the same origin.
if (window.top === window) {
  window.peers = [];
  window.call = {
    videos() {
      return [...(document.querySelector("iframe")?.contentDocument?.querySelectorAll("video") ?? [])];
    },
    // tiles describes the videos that are shown.
    tiles() {
      return this.videos().map((v) => ({ width: v.videoWidth, time: v.currentTime }));
    },
    // others is how many videos of others are shown: who is alone may see themselves twice.
    others() {
      const received = new Set(window.peers.flatMap((peer) => peer.getReceivers().map((receiver) => receiver.track.id)));
      return this.videos().filter((v) => v.srcObject?.getTracks().some((track) => received.has(track.id))).length;
    },
    // text is what the call says to its user.
    text() {
      return document.querySelector("iframe")?.contentDocument?.body?.innerText ?? "";
    },
    // click presses the button with the label, and says whether there is one.
    click(label) {
      const buttons = document.querySelector("iframe")?.contentDocument?.querySelectorAll("button") ?? [];
      const button = [...buttons].find((b) => b.innerText === label || b.getAttribute("aria-label") === label
        || b.getAttribute("aria-labelledby") && b.ownerDocument.getElementById(b.getAttribute("aria-labelledby"))?.textContent === label);
      button?.click();
      return Boolean(button);
    },
    // media sums up what peer connections have received and sent.
    async media() {
      const sum = { framesDecoded: 0, audioReceived: 0, framesSent: 0, audioSent: 0, connected: 0 };
      for (const peer of window.peers) {
        if (peer.connectionState === "closed") continue;
        if (peer.connectionState === "connected") sum.connected++;
        for (const report of (await peer.getStats()).values()) {
          const { type, kind } = report;
          if (type === "inbound-rtp" && kind === "video") sum.framesDecoded += report.framesDecoded ?? 0;
          if (type === "inbound-rtp" && kind === "audio") sum.audioReceived += report.bytesReceived ?? 0;
          if (type === "outbound-rtp" && kind === "video") sum.framesSent += report.framesSent ?? 0;
          if (type === "outbound-rtp" && kind === "audio") sum.audioSent += report.bytesSent ?? 0;
        }
      }
      return sum;
    },
  };
}
const Native = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Native {
  constructor(...args) {
    super(...args);
    window.top.peers.push(this);
  }
};
