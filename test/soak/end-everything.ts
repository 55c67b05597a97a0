import {
  DeleteMicrovmImageCommand,
  GetMicrovmImageCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-lambda-microvms";
import { readdir } from "node:fs/promises";
import { Buildah } from "../../src/build/buildah.ts";
import { hostEnvironment } from "../../src/config/host-environment.ts";
import { homePaths } from "../../src/config/paths.ts";
import { Broken } from "../counted/counted-microvm.ts";
import { eventually } from "../support/eventually.ts";
import type { SoakWorld } from "./soak-world.ts";
import { readStore } from "./store-view.ts";

const LIMIT_MS = 120_000;
/** What the images in the builds' storage are named. */
const LAYERS = "localhost/catnap/";

/** Terminates every microVM and deletes every image; nothing of them may be left but logs and records. */
export async function endEverything({ server, tenants, places, client, underWay }: SoakWorld): Promise<void> {
  for (const tenant of tenants) await tenant.moveOut();
  const paths = homePaths(server.home);
  const live = readStore(paths.database).microvms.filter(({ state }) => state !== "TERMINATED");
  if (live.length > 0)
    throw new Broken(`microVMs of nobody: ${live.map(({ id, state }) => `${id} ${state}`).join(", ")}`);
  const images = [places.counter, places.ill].flatMap((place) => place?.imageArn ?? []);
  for (const imageArn of images)
    await underWay.during("delete", () => client().send(new DeleteMicrovmImageCommand({ imageIdentifier: imageArn })));
  for (const imageArn of images)
    await eventually(`${imageArn} is gone`, LIMIT_MS, async () => {
      try {
        const { state = "" } = await client().send(new GetMicrovmImageCommand({ imageIdentifier: imageArn }));
        return { saw: state };
      } catch (cause) {
        if (!(cause instanceof ResourceNotFoundException)) throw cause;
        return { done: undefined };
      }
    });
  const buildah = await Buildah.open(paths.containerStorage, hostEnvironment());
  await eventually("folders of images, layers, root file systems and machines are empty", LIMIT_MS, async () => {
    const folders = [paths.images, paths.rootfs, paths.buildWork, paths.preparedMachines];
    const names = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
    // A list that is made while images go may fail; then it is made again.
    const listed = await buildah.line("images", "--format", "{{.Name}}").catch(() => `${LAYERS}?`);
    const layers = listed.split("\n").filter((name) => name.startsWith(LAYERS));
    const left = [...names.flat(), ...layers];
    return left.length === 0 ? { done: undefined } : { saw: left.join(", ") };
  });
}
