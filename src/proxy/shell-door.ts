import { createServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { duplexPair, type Duplex } from "node:stream";
import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import type { ShellServer } from "../shell/shell-server.ts";
import type { ShellTarget } from "../shell/shell-target.ts";
import { Activity } from "./activity.ts";
import type { Exchange, Outcome } from "./exchange.ts";
import { forwardOver } from "./forward-request.ts";
import { H1AppConnection } from "./app/h1-app-connection.ts";
import type { MicrovmLife } from "./microvm-life.ts";

/** Hands WebSocket handshakes with a shell token over to the shells: a client reaches them as it would an application. */
export class ShellDoor {
  readonly #shells: Pick<ShellServer, "accept">;

  constructor(shells: Pick<ShellServer, "accept">) {
    this.#shells = shells;
  }

  async open(exchange: Exchange, target: EndpointTarget, life: MicrovmLife): Promise<Outcome> {
    const { microvmId } = target;
    const shell: ShellTarget = {
      microvmId,
      link: life.link,
      touch: () => target.touch(),
      onDown: (listener) => target.onDown(listener),
    };
    const [ours, theirs] = duplexPair();
    const { requestId } = exchange.client;
    const server = createServer((_request, response) => void response.writeHead(502).end());
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, early: Buffer) =>
      this.#shells.accept({ request, socket: asSocket(socket), early, requestId }, shell),
    );
    server.emit("connection", theirs);
    const connection = new H1AppConnection(ours, 0, { release: () => {}, remove: () => {} });
    const route = { life, port: 0, activity: new Activity(target) };
    return new Promise((settle) => forwardOver(connection, exchange, route, settle));
  }
}

/** The kernel's probes are the business of the client's real connection. */
function asSocket(stream: Duplex): Socket {
  return Object.assign(stream, { setKeepAlive: () => stream }) as unknown as Socket;
}
