// A voice note without a voice: a short tone that carries the typed words in its comment.

const RATE = 8000;
const MS_PER_LETTER = 60;

function chunk(name, data) {
  const padded = data.length + (data.length % 2);
  const made = new Uint8Array(8 + padded);
  made.set(new TextEncoder().encode(name));
  new DataView(made.buffer).setUint32(4, data.length, true);
  made.set(data, 8);
  return made;
}

function joined(...parts) {
  const made = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

function tone(ms) {
  const samples = new Uint8Array((RATE * ms) / 1000);
  for (let n = 0; n < samples.length; n += 1) {
    const fading = 1 - n / samples.length;
    samples[n] = 128 + 40 * fading * Math.sin((2 * Math.PI * 330 * n) / RATE);
  }
  return samples;
}

// The bytes of a WAV file: 8 bits, one channel.
export function voiceNote(words) {
  const text = new TextEncoder();
  const format = new Uint8Array(16);
  const view = new DataView(format.buffer);
  view.setUint16(0, 1, true);
  view.setUint16(2, 1, true);
  view.setUint32(4, RATE, true);
  view.setUint32(8, RATE, true);
  view.setUint16(12, 1, true);
  view.setUint16(14, 8, true);
  const comment = chunk("ICMT", text.encode(`${words}\0`));
  const ms = Math.min(Math.max(words.length * MS_PER_LETTER, 800), 20000);
  return chunk(
    "RIFF",
    joined(
      text.encode("WAVE"),
      chunk("fmt ", format),
      chunk("LIST", joined(text.encode("INFO"), comment)),
      chunk("data", tone(ms)),
    ),
  );
}
