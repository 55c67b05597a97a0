import { DEFAULT_WINDOW_BYTES, ErrorCode, type Frame, MAX_PAYLOAD_BYTES, MAX_WINDOW_BYTES, Setting } from "./frames.ts";

const SETTING_BYTES = 6;
const MAX_FRAME_SIZE = 2 ** 24 - 1;

/** What the other side asked for (RFC 9113, 6.5.2), as far as it matters: no table is kept for it, and no large frames are sent. */
export class PeerSettings {
  initialWindowBytes = DEFAULT_WINDOW_BYTES;
  #hasTableChange = false;

  /** Returns the error that ends the connection, or `noError`. */
  read({ bytes, start, end }: Frame): number {
    if ((end - start) % SETTING_BYTES !== 0) return ErrorCode.frameSizeError;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const error = this.#apply(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
      if (error !== ErrorCode.noError) return error;
    }
    return ErrorCode.noError;
  }

  /** Whether the next block of fields must say that no table is used; said once for each change. */
  takeTableChange(): boolean {
    const has = this.#hasTableChange;
    this.#hasTableChange = false;
    return has;
  }

  #apply(setting: number, value: number): number {
    switch (setting) {
      case Setting.headerTableSize:
        this.#hasTableChange = true;
        return ErrorCode.noError;
      case Setting.enablePush:
      case Setting.enableConnectProtocol:
        return value > 1 ? ErrorCode.protocolError : ErrorCode.noError;
      case Setting.initialWindowSize:
        if (value > MAX_WINDOW_BYTES) return ErrorCode.flowControlError;
        this.initialWindowBytes = value;
        return ErrorCode.noError;
      case Setting.maxFrameSize:
        return value < MAX_PAYLOAD_BYTES || value > MAX_FRAME_SIZE ? ErrorCode.protocolError : ErrorCode.noError;
      default:
        return ErrorCode.noError;
    }
  }
}
