// What is sent instead of a camera and a microphone: a drawn picture that moves,
// and a tone. Neither needs a permission.

const width = 320;
const height = 180;
const framesPerSecond = 15;

/** Begins to draw and to sound. It must be called in a tap: phones need one for sound. */
export function startSource() {
  const tone = startTone();
  const picture = startPicture();
  return {
    video: picture.track,
    audio: tone.track,
    stop() {
      picture.stop();
      tone.stop();
    },
  };
}

function startPicture() {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  let frame = 0;
  const draw = () => drawFrame(context, frame++);
  draw();
  const timer = setInterval(draw, 1000 / framesPerSecond);
  const [track] = canvas.captureStream(framesPerSecond).getVideoTracks();
  return { track, stop: () => { clearInterval(timer); track.stop(); } };
}

/** Every frame differs from the one before in all of the picture. */
function drawFrame(context, frame) {
  for (let column = 0; column < 8; column++) {
    context.fillStyle = `hsl(${(frame * 5 + column * 45) % 360} 70% 50%)`;
    context.fillRect((column * width) / 8, 0, width / 8, height);
  }
  context.fillStyle = "#000";
  context.font = "48px sans-serif";
  context.fillText(String(frame), 20, 100);
}

function startTone() {
  const context = new AudioContext();
  void context.resume();
  const oscillator = context.createOscillator();
  oscillator.frequency.value = 440;
  const destination = context.createMediaStreamDestination();
  oscillator.connect(destination); // not to the loudspeaker
  oscillator.start();
  const [track] = destination.stream.getAudioTracks();
  return { track, stop: () => { oscillator.stop(); track.stop(); void context.close(); } };
}
