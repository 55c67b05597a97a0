import type { WebSocket } from "ws";
import { runCommand } from "../util/run-command.ts";

/** Tells the far terminal the size of this one, now and whenever it changes. Returns what ends that. */
export function followSize(socket: WebSocket): () => void {
  const { stdout } = process;
  const tell = (): void => {
    if (stdout.isTTY) socket.send(JSON.stringify({ type: "resize", cols: stdout.columns, rows: stdout.rows }));
  };
  tell();
  stdout.on("resize", tell);
  return () => void stdout.off("resize", tell);
}

/**
 * Every key goes through as it is, the interrupt key too, and every byte comes as it is: node's own raw mode still makes a
 * carriage return of each line feed, which full-screen programs use to move down. Returns what ends that.
 */
export async function enterRawMode(): Promise<() => void> {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  stdin.setRawMode(true);
  const leave = (): void => void stdin.setRawMode(false); // to what it was at first, in every respect
  process.once("exit", leave); // whatever ends the process, the terminal must not stay raw
  await runCommand("stty", ["-F", "/dev/tty", "-opost"]).catch(() => {}); // all but the screens of such programs is well without
  return () => {
    process.off("exit", leave);
    leave();
  };
}

/** Sends what is typed or piped in, no faster than it leaves; `onEnd` when there is no more. Returns what ends that. */
export function sendInput(socket: WebSocket, onEnd: () => void): () => void {
  const { stdin } = process;
  const onData = (chunk: Buffer): void => {
    stdin.pause();
    socket.send(chunk, { binary: true }, (error) => {
      if (!error) stdin.resume();
    });
  };
  stdin.on("data", onData).once("end", onEnd);
  return () => {
    stdin.off("data", onData).off("end", onEnd).pause();
    stdin.unref?.();
  };
}

/** Writes to one of this process's streams; a reader who is late holds the far program up. */
export function writeOut(socket: WebSocket, stream: NodeJS.WriteStream, bytes: Uint8Array): void {
  if (stream.write(bytes) || socket.isPaused) return;
  socket.pause();
  stream.once("drain", () => socket.resume());
}
