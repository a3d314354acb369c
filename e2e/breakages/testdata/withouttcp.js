// A browser that has no TCP for media, as Firefox: it gathers no such candidates and
// takes none, one by one or in a description.
{
  const { prototype } = RTCPeerConnection;
  const { addIceCandidate, setRemoteDescription } = prototype;
  const withoutTCP = ({ type, sdp }) => ({ type, sdp: sdp.replace(/^a=candidate:\S+ \d+ tcp .*\r\n/gim, "") });
  prototype.addIceCandidate = function (candidate, ...rest) {
    return / tcp /i.test(candidate?.candidate ?? "") ? Promise.resolve() : addIceCandidate.call(this, candidate, ...rest);
  };
  prototype.setRemoteDescription = function (description, ...rest) {
    return setRemoteDescription.call(this, withoutTCP(description), ...rest);
  };
  const { get } = Object.getOwnPropertyDescriptor(prototype, "localDescription");
  Object.defineProperty(prototype, "localDescription", {
    get() {
      const description = get.call(this);
      if (!description) return description;
      const { type, sdp } = withoutTCP(description);
      // In the world of the test, Chromium shows no candidate at all without a camera.
      return { type, sdp: /^a=candidate:/m.test(sdp) ? sdp : `${sdp}a=candidate:0 1 udp 2122252543 0.local 9 typ host\r\n` };
    },
  });
}
