import { expect, test } from "vitest";
import { FrameReader } from "./frame-reader.ts";
import { ErrorCode, Flag, frameHead, FrameType } from "./frames.ts";

/** What a reader hands on, one string for each frame. */
function useReader(): { reader: FrameReader; seen: string[] } {
  const seen: string[] = [];
  let data = "";
  const reader = new FrameReader({
    onFrame: ({ type, flags, stream, bytes, start, end }) => {
      seen.push(`${type} ${flags} ${stream} ${bytes.toString("latin1", start, end)}`);
      return ErrorCode.noError;
    },
    onDataBegin: (stream, length) => {
      data = `data ${stream} ${length} `;
      return ErrorCode.noError;
    },
    onDataBytes: (bytes) => void (data += bytes.toString("latin1")),
    onDataEnd: (padding, isLast) => {
      seen.push(`${data} ${padding} ${isLast}`);
      return ErrorCode.noError;
    },
  });
  return { reader, seen };
}

const bytes = Buffer.from(
  [
    frameHead(8, FrameType.ping, 0, 0) + "12345678",
    frameHead(5, FrameType.data, 0, 1) + "hello",
    frameHead(9, FrameType.data, Flag.padded | Flag.endStream, 3) + "\x03world\0\0\0",
    frameHead(1, FrameType.data, Flag.padded, 5) + "\0",
    frameHead(0, FrameType.data, Flag.endStream, 7),
    frameHead(3, 0x99, 0xff, 0x7fff_ffff) + "new",
  ].join(""),
  "latin1",
);
const FRAMES = [
  "6 0 0 12345678",
  "data 1 5 hello 0 false",
  "data 3 9 world 4 true",
  "data 5 1  1 false",
  "data 7 0  0 true",
  "153 255 2147483647 new",
];

test.each([1, 2, 3, 7, 10, 1000])("frames are the same in pieces of %d bytes", (size) => {
  const { reader, seen } = useReader();
  for (let at = 0; at < bytes.length; at += size)
    expect(reader.push(Buffer.from(bytes.subarray(at, at + size)))).toBe(ErrorCode.noError);
  expect(seen).toEqual(FRAMES);
});

test.each([
  ["longer than announced", frameHead(16_385, FrameType.headers, 0, 1), ErrorCode.frameSizeError],
  ["with more padding than bytes", frameHead(2, FrameType.data, Flag.padded, 1) + "\x02x", ErrorCode.protocolError],
  ["too short for its padding", frameHead(0, FrameType.data, Flag.padded, 1) + "x", ErrorCode.protocolError],
])("a frame %s is an error", (_what, text, error) => {
  const { reader } = useReader();
  expect(reader.push(Buffer.from(text, "latin1"))).toBe(error);
});
