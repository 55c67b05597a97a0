import type { Duplex } from "node:stream";
import type { GuestLink, RelayRefusal } from "../guest-link/guest-link.ts";
import type { EndpointTarget } from "../lifecycle/microvm-service.ts";
import { AppConnections } from "./app/app-connections.ts";
import type { TlsPorts } from "./app/tls-ports.ts";

interface LifeOptions {
  readonly link: GuestLink;
  readonly tlsPorts: TlsPorts;
  readonly onEnd: (life: MicrovmLife) => void;
}

/**
 * One stretch of a microVM being RUNNING. Connections belong to a life and end with it: after a suspend their other
 * ends are gone, even where the host's ends still look open.
 */
export class MicrovmLife {
  readonly link: GuestLink;
  readonly apps: AppConnections;
  readonly #streams = new Set<Duplex>();
  readonly #unsubscribe: () => void;
  #isDown = false;

  constructor(target: EndpointTarget, { link, tlsPorts, onEnd }: LifeOptions) {
    this.link = link;
    this.apps = new AppConnections({ microvmId: target.microvmId, tlsPorts, relay: (port) => this.relay(port) });
    this.#unsubscribe = target.onDown(() => {
      this.end();
      onEnd(this);
    });
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  /** A new connection to a port of the guest; it is destroyed when this life ends. */
  async relay(port: number, signal?: AbortSignal): Promise<Duplex | RelayRefusal> {
    const stream = await this.link.relay(port, signal);
    if ("refused" in stream) return stream;
    if (this.#isDown) {
      stream.destroy();
      return { refused: "guest-unreachable", cause: new Error("the microVM left RUNNING while connecting") };
    }
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    return stream;
  }

  end(): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#unsubscribe();
    this.apps.end();
    for (const stream of this.#streams) stream.destroy();
  }
}
