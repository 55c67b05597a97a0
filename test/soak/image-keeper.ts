import {
  ConflictException,
  DeleteMicrovmImageCommand,
  DeleteMicrovmImageVersionCommand,
  GetMicrovmImageCommand,
  ListMicrovmImageVersionsCommand,
  ResourceNotFoundException,
  UpdateMicrovmImageCommand,
} from "@aws-sdk/client-lambda-microvms";
import { Broken, CountedMicrovm } from "../counted/counted-microvm.ts";
import { persist } from "../counted/persist.ts";
import { eventually } from "../support/eventually.ts";
import { createImage, imageSettles, imageSource } from "./soak-images.ts";
import type { SoakWorld } from "./soak-world.ts";

const END_LIMIT_MS = 120_000;

/** Makes an image, gives it a second version while the first one's microVM runs, and takes all of it away again. */
export class ImageKeeper {
  readonly #world: SoakWorld;
  readonly #number: number;
  readonly #living = new Set<CountedMicrovm>();
  #cycles = 0;
  #imageArn = "";

  constructor(world: SoakWorld, number: number) {
    this.#world = world;
    this.#number = number;
  }

  async live(): Promise<void> {
    const { gate, isOver } = this.#world;
    while (!isOver()) {
      for (const step of [this.#create, this.#refuse, this.#update, this.#dropFirst, this.#remove])
        await gate.pass(() => step.call(this));
    }
  }

  get #client() {
    return this.#world.client();
  }

  async #create(): Promise<void> {
    const name = `churn-${this.#number}-${++this.#cycles}`;
    await this.#build("CREATED", async () => {
      this.#imageArn = await createImage(this.#client, { ...imageSource("counter"), name });
    });
    this.#done("image built");
  }

  /** What runs is not to be taken away. */
  async #refuse(): Promise<void> {
    if (this.#living.size === 0) return;
    const removal = persist(() =>
      this.#client.send(new DeleteMicrovmImageCommand({ imageIdentifier: this.#imageArn })),
    );
    const refusal = await removal.then(
      () => undefined,
      (cause: unknown) => cause,
    );
    if (!(refusal instanceof ConflictException)) throw new Broken("an image in use was deleted", { cause: refusal });
    await this.#askAll();
    this.#done("delete of an image in use, refused");
  }

  async #update(): Promise<void> {
    const clientToken = crypto.randomUUID();
    const command = () =>
      new UpdateMicrovmImageCommand({ ...imageSource("counter"), imageIdentifier: this.#imageArn, clientToken });
    await this.#build("UPDATED", () => persist(() => this.#client.send(command())));
    await this.#askAll();
    this.#done("image version built");
  }

  async #dropFirst(): Promise<void> {
    const [first] = this.#living;
    if (first === undefined || this.#living.size < 2) return;
    await this.#end(first);
    const key = { imageIdentifier: this.#imageArn, imageVersion: "1.0" };
    await this.#world.underWay.during("delete", async () => {
      await persist(() => this.#client.send(new DeleteMicrovmImageVersionCommand(key))).catch(ignoreGone);
      await imageSettles(this.#client, this.#imageArn);
    });
    const { items = [] } = await persist(() =>
      this.#client.send(new ListMicrovmImageVersionsCommand({ imageIdentifier: this.#imageArn })),
    );
    const versions = items.map(({ imageVersion }) => imageVersion).join(", ");
    if (versions !== "2.0") throw new Broken(`${this.#imageArn} has versions ${versions} after 1.0 was deleted`);
    await this.#askAll();
    this.#done("image version deleted");
  }

  async #remove(): Promise<void> {
    for (const microvm of this.#living) await this.#end(microvm);
    const key = { imageIdentifier: this.#imageArn };
    await this.#world.underWay.during("delete", async () => {
      await persist(() => this.#client.send(new DeleteMicrovmImageCommand(key))).catch(ignoreGone);
      await eventually(`${this.#imageArn} is gone`, END_LIMIT_MS, async () => {
        const found = await persist(() => this.#client.send(new GetMicrovmImageCommand(key))).catch(ignoreGone);
        return found === undefined ? { done: undefined } : { saw: found.state ?? "" };
      });
    });
    this.#done("image deleted");
  }

  /** Builds, and runs what was built. Only a build whose machine was killed may fail. */
  async #build(wanted: string, begin: () => Promise<unknown>): Promise<void> {
    const { underWay, blows, endings } = this.#world;
    const before = blows.onBuilds;
    const state = await underWay.during("build", async () => {
      await begin();
      return imageSettles(this.#client, this.#imageArn);
    });
    if (state === wanted) return this.#run();
    if (blows.onBuilds === before) throw new Broken(`${this.#imageArn} is ${state}, not ${wanted}`);
    endings.add("build whose machine was killed");
  }

  async #run(): Promise<void> {
    const { places, underWay } = this.#world;
    await underWay.during("run", async () => {
      const microvm = await CountedMicrovm.run({ ...places.counter, imageArn: this.#imageArn });
      this.#living.add(microvm);
      await microvm.ask();
    });
  }

  async #askAll(): Promise<void> {
    for (const microvm of this.#living) await microvm.ask();
  }

  async #end(microvm: CountedMicrovm): Promise<void> {
    this.#living.delete(microvm);
    await this.#world.underWay.during("terminate", async () => {
      await microvm.terminate();
      await eventually(`the end of ${microvm.microvmId}`, END_LIMIT_MS, async () => {
        const { state, reason } = await microvm.state();
        if (state === "TERMINATED" && reason !== "Success.") throw new Broken(`${microvm.microvmId} ended: ${reason}`);
        return state === "TERMINATED" ? { done: undefined } : { saw: state };
      });
    });
    this.#world.endings.add("terminated");
  }

  #done(what: string): void {
    this.#world.operations.add(what);
  }
}

/** Deleted by a try whose answer was lost. */
function ignoreGone(cause: unknown): undefined {
  if (!(cause instanceof ResourceNotFoundException)) throw cause;
}
