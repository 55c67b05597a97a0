/** Run in a network namespace: connections to a loopback port there go on to a Unix socket. */
import { createConnection, createServer } from "node:net";
import { pipeline } from "node:stream";

const [port = "", socketPath = ""] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const onward = createConnection({ path: socketPath, allowHalfOpen: true });
  pipeline(socket, onward, () => {});
  pipeline(onward, socket, () => {});
});
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
