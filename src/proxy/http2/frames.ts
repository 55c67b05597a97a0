/** Frames of HTTP/2 as they are on the wire (RFC 9113, 4 and 6). */
export const FRAME_HEAD_BYTES = 9;

/** The largest payload there may be, in both directions; nobody here asks for more. */
export const MAX_PAYLOAD_BYTES = 16_384;

/** Of one stream or of the connection, before anybody says otherwise. */
export const DEFAULT_WINDOW_BYTES = 65_535;

export const MAX_WINDOW_BYTES = 0x7fff_ffff;

export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** Why a stream or a connection ends (RFC 9113, 7). */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

/** A frame as it came; its payload is `bytes` from `start` to `end`. One object for all of a connection. */
export interface Frame {
  type: number;
  flags: number;
  stream: number;
  bytes: Buffer;
  start: number;
  end: number;
}

/** A number of 31 bits: the first of its 32 is reserved, and ignored. */
export function readNumber31(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff;
}

/** The head of a frame, a character for each byte. */
export function frameHead(length: number, type: number, flags: number, stream: number): string {
  return String.fromCharCode(
    length >>> 16,
    (length >>> 8) & 0xff,
    length & 0xff,
    type,
    flags,
    (stream >>> 24) & 0x7f,
    (stream >>> 16) & 0xff,
    (stream >>> 8) & 0xff,
    stream & 0xff,
  );
}

export function resetFrame(stream: number, code: number): string {
  return frameHead(4, FrameType.resetStream, 0, stream) + number32(code);
}

export function windowUpdateFrame(stream: number, bytes: number): string {
  return frameHead(4, FrameType.windowUpdate, 0, stream) + number32(bytes);
}

export function goawayFrame(lastStream: number, code: number): string {
  return frameHead(8, FrameType.goaway, 0, 0) + number32(lastStream) + number32(code);
}

/** `payload`: the eight bytes that came. */
export function pingAnswer(payload: string): string {
  return frameHead(payload.length, FrameType.ping, Flag.ack, 0) + payload;
}

export const SETTINGS_ACK = frameHead(0, FrameType.settings, Flag.ack, 0);

export function settingsFrame(settings: readonly (readonly [setting: number, value: number])[]): string {
  const payload = settings.map(
    ([setting, value]) => String.fromCharCode(setting >>> 8, setting & 0xff) + number32(value),
  );
  return frameHead(6 * settings.length, FrameType.settings, 0, 0) + payload.join("");
}

/** A block of fields as HEADERS and, where it is long, CONTINUATION. */
export function headersFrames(stream: number, block: string, isLast: boolean): string {
  const endStream = isLast ? Flag.endStream : 0;
  if (block.length <= MAX_PAYLOAD_BYTES)
    return frameHead(block.length, FrameType.headers, endStream | Flag.endHeaders, stream) + block;
  let frames = "";
  for (let at = 0; at < block.length; at += MAX_PAYLOAD_BYTES) {
    const part = block.slice(at, at + MAX_PAYLOAD_BYTES);
    const end = at + MAX_PAYLOAD_BYTES < block.length ? 0 : Flag.endHeaders;
    const [type, flags] = at === 0 ? [FrameType.headers, endStream | end] : [FrameType.continuation, end];
    frames += frameHead(part.length, type, flags, stream) + part;
  }
  return frames;
}

function number32(value: number): string {
  return String.fromCharCode((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}
