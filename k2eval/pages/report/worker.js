// Runs in a worker, with fzstd before it: keeps compressed pieces, and finds records and words in them.
const RECORD = "\x1e";
const UNIT = "\x1f";
const FIRST = 0x3400;
const MOST_OPEN = 6;
const MOST_SEARCHED = 120e6;
const frames = new Map();
const open = new Map();
const searched = new Map();
let searchedLength = 0;

// Each character holds 15 bits.
function bytesOf(size, text) {
  const bytes = new Uint8Array(size);
  let [held, bits, at] = [0, 0, 0];
  for (let i = 0; i < text.length && at < size; i += 1) {
    held = ((held & 0xff) << 15) | (text.charCodeAt(i) - FIRST);
    bits += 15;
    while (bits >= 8 && at < size) {
      bits -= 8;
      bytes[at] = (held >> bits) & 0xff;
      at += 1;
    }
  }
  return bytes;
}

function textOf(piece) {
  return new TextDecoder().decode(fzstd.decompress(frames.get(piece)));
}

// The records of a piece by their numbers; the last few pieces stay open.
function recordsOf(piece) {
  let records = open.get(piece);
  if (!records) {
    records = new Map();
    for (const record of textOf(piece).split(RECORD)) {
      const end = record.indexOf(UNIT);
      records.set(Number(end < 0 ? record : record.slice(0, end)), end < 0 ? "" : record.slice(end + 1));
    }
    if (open.size >= MOST_OPEN) open.delete(open.keys().next().value);
    open.set(piece, records);
  }
  return records;
}

// The texts of a piece in lower case, without numbers and facts; kept while there is room.
function wordsOf(piece, facts) {
  if (searched.has(piece)) return searched.get(piece);
  const found = textOf(piece).split(RECORD).map((record) => {
    const end = record.indexOf(UNIT);
    if (end < 0) return [Number(record), ""];
    const from = facts ? record.indexOf(UNIT, end + 1) : end;
    return [Number(record.slice(0, end)), from < 0 ? "" : record.slice(from + 1).toLowerCase()];
  });
  const length = found.reduce((sum, [, text]) => sum + text.length, 0);
  if (searchedLength + length <= MOST_SEARCHED) {
    searchedLength += length;
    searched.set(piece, found);
  }
  return found;
}

const answers = {
  keep({ piece, size, text, bytes }) {
    if (!frames.has(piece)) frames.set(piece, bytes ?? bytesOf(size, text));
    return true;
  },
  record({ piece, number }) {
    const record = recordsOf(piece).get(number);
    return record === undefined ? null : record.split(UNIT);
  },
  search({ piece, words, facts }) {
    return wordsOf(piece, facts).flatMap(([number, text]) => (text.includes(words) ? [number] : []));
  },
};

self.onmessage = ({ data }) => {
  try {
    self.postMessage({ id: data.id, result: answers[data.ask](data) });
  } catch (error) {
    self.postMessage({ id: data.id, failed: String(error) });
  }
};
