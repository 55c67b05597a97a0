import { join } from "node:path";
import type { MachineShape, TemplateFiles } from "../../src/engine/engine.ts";
import type { GuestLink } from "../../src/guest-link/guest-link.ts";
import { eventually } from "./eventually.ts";
import { TINY_CONTAINER, TINY_SHAPE, type useTinyGuest } from "./tiny-guest.ts";

export interface BootTinyOptions {
  readonly shape?: MachineShape;
  /** With the app running, before it is frozen. */
  readonly beforeSettling?: (link: GuestLink) => Promise<void>;
  readonly afterSettling?: (link: GuestLink) => Promise<void>;
}

/** Boots the tiny container and snapshots it once it answers. */
export async function bootTiny(
  tiny: Awaited<ReturnType<typeof useTinyGuest>>,
  { shape = TINY_SHAPE, beforeSettling, afterSettling }: BootTinyOptions = {},
): Promise<TemplateFiles> {
  const directory = await tiny.directory("image");
  const { network, link } = await tiny.slot();
  const machine = await tiny.engine.boot({
    directory,
    shape,
    rootfs: tiny.rootfs,
    upper: join(directory, "disk.upper"),
    network,
  });
  await link.waitUntilUp(AbortSignal.timeout(120_000));
  await link.start(TINY_CONTAINER);
  await eventually("the counter listens", 60_000, async () =>
    (await link.listeningPorts([8080])).length > 0 ? { done: true } : { saw: "nothing" },
  );
  await beforeSettling?.(link);
  await link.settle();
  await afterSettling?.(link);
  return tiny.engine.snapshot(machine, directory, shape);
}
