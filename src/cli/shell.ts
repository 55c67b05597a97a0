import { connectShell } from "./connect-shell.ts";
import { enterRawMode, followSize, sendInput, writeOut } from "./local-terminal.ts";

const END_OF_INPUT = Buffer.of(4); // ^D, as input that ends would be on a terminal
const NORMAL_CLOSURE = 1000;

/** A terminal in a microVM, over the service's own shell protocol, which tells no exit code. */
export async function shell(microvmId: string): Promise<number> {
  const socket = await connectShell(microvmId);
  const undo = [followSize(socket), await enterRawMode(), sendInput(socket, () => socket.send(END_OF_INPUT))];
  const [code, reason] = await new Promise<[number, string]>((resolve) => {
    socket.on("message", (data, isBinary) => {
      if (isBinary) writeOut(socket, process.stdout, data as Buffer); // text is the session's id
    });
    socket.once("close", (closeCode, text) => resolve([closeCode, text.toString("utf8")]));
    socket.resume();
  });
  for (const end of undo) end();
  if (code === NORMAL_CLOSURE) return 0;
  process.stderr.write(`\nThe shell ended: ${reason === "" ? `the connection broke (${code})` : reason}\n`);
  return 1;
}
